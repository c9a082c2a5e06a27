//! Who stands behind a pattern.

use super::Dialect;
use crate::core::model::Str;

/// One owner of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An account of the forge.
    Login(Str),
    /// An account of GitLab or a group of its own, which share one space of names: the forge alone tells which.
    Either(Str),
    /// A team or group, by its whole name: `platform/sre`.
    Team(Str),
    /// A mail address: whose it is, the server's configuration may know.
    Mail(Str),
}

impl Owner {
    /// Reads one word; the error says why it names nobody.
    pub fn read(word: &str, dialect: Dialect) -> Result<Self, &'static str> {
        let fits = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
        if word.starts_with("@@") {
            return Err("a role of the forge, which nobody tells the members of; name people or a group");
        }
        let name = match word.strip_prefix('@') {
            Some(name) => name,
            // Gitea takes names with and without.
            None if dialect == Dialect::Gitea && !word.contains('@') => word,
            None => {
                let parts = word.split_once('@').filter(|(user, host)| !user.is_empty() && !host.contains('@') && fits(host));
                return parts.map(|_| Self::Mail(word.into())).ok_or("no owner; write `@ana`, `@platform/sre` or a mail address");
            }
        };
        let parts = name.split('/').count();
        if !name.split('/').all(fits) || parts > 2 && dialect != Dialect::GitLab {
            return Err("no name of a person or a team");
        }
        Ok(match (parts, dialect) {
            (1, Dialect::GitLab) => Self::Either(name.into()),
            (1, Dialect::GitHub | Dialect::Gitea) => Self::Login(name.into()),
            _ => Self::Team(name.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_teams_and_mail_addresses_are_told_apart_as_each_forge_writes_them() {
        let login = |name: &str| Ok(Owner::Login(name.into()));
        let team = |name: &str| Ok(Owner::Team(name.into()));
        for dialect in [Dialect::GitHub, Dialect::GitLab, Dialect::Gitea] {
            assert_eq!(Owner::read("@ana", dialect), if dialect == Dialect::GitLab { Ok(Owner::Either("ana".into())) } else { login("ana") });
            assert_eq!(Owner::read("@platform/sre", dialect), team("platform/sre"));
            for word in ["@", "@/sre", "@platform/", "@@maintainer", "@a b", "a@b@c", "@@", "x@"] {
                assert!(Owner::read(word, dialect).is_err(), "{word}");
            }
        }
        assert_eq!(Owner::read("@a/b/c", Dialect::GitLab), team("a/b/c"));
        assert!(Owner::read("@a/b/c", Dialect::GitHub).is_err() && Owner::read("@a/b/c", Dialect::Gitea).is_err());
        assert_eq!([Owner::read("ana", Dialect::Gitea), Owner::read("platform/sre", Dialect::Gitea)], [login("ana"), team("platform/sre")]);
        assert!(Owner::read("ana", Dialect::GitHub).is_err());
        assert_eq!(Owner::read("ana@example.com", Dialect::GitHub), Ok(Owner::Mail("ana@example.com".into())));
    }
}
