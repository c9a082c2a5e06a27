//! A mirror of one repository: its governed branches and the heads of its merge requests, fetched by the `git` program as they are asked for.

use super::{Badge, ConfigError, Project, fault::NetError};
use crate::{
    core::model::{CommitId, RepoId, Str},
    git::{GitRepo, Held, Standing, oid, program},
    ports::{ForgeErrorKind, Governed, RepoError, SecretText},
};
use base64::Engine as _;
use std::{path::Path, process::Stdio, sync::Arc, time::Duration};
use tokio::io::AsyncReadExt as _;

/// A first fetch of a large repository takes minutes; one that takes longer than this is stuck.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What is kept of git's complaints.
const COMPLAINT: u64 = 4 << 10;

/// How git says that a branch is not where it was when it was decided to move it.
const STALE: [&str; 3] = ["stale info", "fetch first", "cannot lock ref"];

/// How git says that it was not let in: it asks for a name and password, which nobody gives it.
const UNKNOWN: [&str; 4] = ["could not read Username", "could not read Password", "Authentication failed", "error: 401"];

/// What is kept of what git prints: more branches than any repository has.
const PRINTED: u64 = 16 << 20;

/// The newest branches that are kept here; older ones are read when a merge request goes to them.
const FOLLOWED: usize = 20;

/// What git must not do in a mirror, whatever the forge's answers say, and which old faults of histories it takes.
const SETTINGS: [(&str, &str); 14] = [
    ("http.followRedirects", "false"),
    // A line that carries nothing for this long is dead.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "120"),
    ("credential.helper", ""),
    ("core.askPass", ""),
    ("fetch.recurseSubmodules", "false"),
    // A tree that names one file twice reads differently here and in a checkout.
    ("fetch.fsckObjects", "true"),
    ("fetch.fsck.badDate", "ignore"),
    ("fetch.fsck.badEmail", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingEmail", "ignore"),
    ("fetch.fsck.missingNameBeforeEmail", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
];

/// One reference that shall be as the forge has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The forge's name for it: `refs/heads/main`.
    pub theirs: String,
    /// Ours.
    pub ours: String,
    /// Where the forge says it is.
    pub at: CommitId,
}

/// The mirrors of one forge; repositories that are branches of one git share theirs.
#[derive(Default)]
pub struct Mirrors(std::collections::BTreeMap<std::path::PathBuf, Arc<Mirror>>);

impl Mirrors {
    /// The mirror of a project, opened once.
    pub fn of(&mut self, project: &Project, user: &'static str, badge: Arc<dyn Badge>, ca: Option<&[u8]>) -> Result<Arc<Mirror>, ConfigError> {
        if let Some(known) = self.0.get(&project.mirror) {
            return Ok(known.clone());
        }
        let opened = Arc::new(Mirror::open(project.id.clone(), &project.mirror, &project.branch.said(), format!("{}.git", project.page), (user, badge), ca)?);
        self.0.insert(project.mirror.clone(), opened.clone());
        Ok(opened)
    }
}

/// A bare repository that follows another.
pub struct Mirror {
    pub id: RepoId,
    git: Arc<GitRepo>,
    held: Held,
    url: String,
    /// What stands before the token when git signs in, and where that comes from.
    sign_in: (&'static str, Arc<dyn Badge>),
    ca: Option<std::path::PathBuf>,
    /// One fetch at a time: two would fight over the same references.
    fetching: tokio::sync::Mutex<()>,
}

impl Mirror {
    /// Opens the mirror at `path`, or makes an empty one.
    pub fn open(id: RepoId, path: &Path, branch: &str, url: String, sign_in: (&'static str, Arc<dyn Badge>), ca: Option<&[u8]>) -> Result<Self, ConfigError> {
        let wrong = |what: String| ConfigError(format!("the mirror of {id}: {what}"));
        if !path.join("HEAD").exists() {
            let mut options = git2::RepositoryInitOptions::new();
            options.bare(true).mkpath(true).external_template(false);
            // A pattern is no branch.
            if git2::Reference::is_valid_name(&format!("refs/heads/{branch}")) {
                options.initial_head(branch);
            }
            git2::Repository::init_opts(path, &options).map_err(|error| wrong(format!("cannot make {}: {}", path.display(), error.message())))?;
        }
        let git = GitRepo::open(path).map_err(|error| wrong(error.to_string()))?;
        let ca = match ca {
            None => None,
            Some(pem) => {
                let file = git.dir().join("authority.pem");
                std::fs::write(&file, pem).map_err(|error| wrong(format!("cannot write {}: {error}", file.display())))?;
                Some(file)
            }
        };
        Ok(Self { id, git: Arc::new(git), held: Held::default(), url, sign_in, ca, fetching: tokio::sync::Mutex::default() })
    }

    /// The repository as it is here.
    pub fn git(&self) -> &Arc<GitRepo> {
        &self.git
    }

    /// Whether a commit is here.
    pub fn has(&self, commit: &CommitId) -> bool {
        let Ok(id) = oid(commit.as_str()) else { return false };
        self.git.with_repo(|repo| Ok(repo.find_commit(id).is_ok())).unwrap_or(false)
    }

    /// Where a reference of ours is; `None`: there is none.
    pub fn tip(&self, name: &str) -> Option<CommitId> {
        self.git.with_repo(|repo| Ok(repo.refname_to_id(name).ok())).ok().flatten().map(|id| CommitId::new(id.to_string()))
    }

    /// How a commit stands to a branch of ours; `None`: there is no such branch.
    pub fn standing(&self, branch: &str, head: &CommitId) -> Result<Option<Standing>, RepoError> {
        self.held.standing(&self.git, branch, head)
    }

    /// Makes references of ours stand where the forge says; fetches only what is not there yet.
    ///
    /// An error of kind `Unavailable` where the forge has moved on meanwhile: ask it again where they are.
    pub async fn follow(&self, wants: &[Want]) -> Result<(), NetError> {
        let behind = |want: &&Want| self.tip(&want.ours).as_ref() != Some(&want.at);
        if !wants.iter().any(|want| behind(&want)) {
            return Ok(());
        }
        let _alone = self.fetching.lock().await;
        let late: Vec<&Want> = wants.iter().filter(behind).collect();
        if late.is_empty() {
            return Ok(());
        }
        let specs: Vec<String> = late.iter().map(|want| format!("+{}:{}", want.theirs, want.ours)).collect();
        self.fetch(&specs).await?;
        let moved = late.iter().find(|want| behind(want));
        moved.map_or(Ok(()), |want| {
            Err(NetError::new(ForgeErrorKind::Unavailable, format!("`{}` of {} moved while it was fetched, or git serves it later than the API", want.theirs, self.id)))
        })
    }

    /// The branches there of which one governs, newest first; those that could govern by now are here as well.
    pub async fn branches(&self, governed: &Governed) -> Result<Vec<Str>, NetError> {
        let Some(pattern) = governed.pattern() else { return Ok(vec![governed.said()]) };
        let name = format!("refs/heads/{}*{}", pattern.beginning(), pattern.end());
        let told = self.git_does(vec!["ls-remote".to_owned(), "--heads".into(), "--".into(), self.url.clone(), name]).await?;
        let lines = told.lines().filter_map(|line| line.split_once('\t'));
        let there: Vec<(CommitId, Str)> = lines.filter_map(|(at, name)| Some((CommitId::new(oid(at).ok()?.to_string()), name.strip_prefix("refs/heads/")?.into()))).collect();
        let names = governed.among(there.iter().map(|(_, name)| name.clone()));
        let want = |name: &Str| {
            let full = format!("refs/heads/{name}");
            let at = there.iter().find(|(_, known)| known == name).map(|(at, _)| at.clone())?;
            Some(Want { theirs: full.clone(), ours: full, at })
        };
        let wants: Vec<Want> = names.iter().take(FOLLOWED).filter_map(want).collect();
        self.follow(&wants).await?;
        Ok(names)
    }

    /// Takes the newest branch there for the one that governs, where nobody says which one does: for looking, before a server runs.
    pub async fn settle(&self, governed: &Governed) -> Result<(), NetError> {
        if governed.now().is_none()
            && let Some(newest) = self.branches(governed).await?.first()
        {
            governed.set(newest);
        }
        Ok(())
    }

    async fn fetch(&self, specs: &[String]) -> Result<(), NetError> {
        let mut args = vec!["fetch".to_owned(), "--quiet".into(), "--no-tags".into(), "--no-write-fetch-head".into(), "--no-auto-maintenance".into(), "--force".into()];
        args.extend(["--".to_owned(), self.url.clone()]);
        self.run(args, specs).await
    }

    /// Moves a branch of the forge from where it was to a commit of ours; nothing else is overwritten.
    pub async fn push(&self, branch: &str, commit: &CommitId, before: Option<&CommitId>) -> Result<(), NetError> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", before.map_or("", CommitId::as_str));
        let args = vec!["push".to_owned(), "--quiet".into(), "--no-verify".into(), lease, "--".into(), self.url.clone()];
        let pushed = self.run(args, &[format!("{commit}:refs/heads/{branch}")]).await;
        pushed.map_err(|error| match STALE.iter().any(|words| error.message.contains(words)) {
            true => NetError { kind: ForgeErrorKind::Conflict, what: format!("`{branch}` of {} moved meanwhile and is left as it is: {}", self.id, error.message), ..error },
            false => error,
        })
    }

    /// Runs git against the forge; each spec is two references, or a commit and one.
    async fn run(&self, args: Vec<String>, specs: &[String]) -> Result<(), NetError> {
        let known = |name: &str| git2::Reference::is_valid_name(name) || oid(name).is_ok();
        for spec in specs {
            let names = spec.trim_start_matches('+').split(':');
            if !names.clone().all(known) || names.count() != 2 {
                return Err(NetError::new(ForgeErrorKind::Invalid, format!("`{}` is no reference that git would take", spec.escape_debug())));
            }
        }
        self.git_does(args.into_iter().chain(specs.iter().cloned()).collect()).await.map(drop)
    }

    /// Runs git as our account there; what it prints. Where the forge does not know the token any more, once more with another.
    async fn git_does(&self, args: Vec<String>) -> Result<String, NetError> {
        let (user, badge) = &self.sign_in;
        let header = |token: &SecretText| format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", token.expose())));
        let token = badge.token().await?;
        match self.git_signed(&args, header(&token)).await {
            Err(error) if UNKNOWN.iter().any(|words| error.message.contains(words)) && badge.refused(&token).await => self.git_signed(&args, header(&badge.token().await?)).await,
            done => done,
        }
    }

    async fn git_signed(&self, args: &[String], header: String) -> Result<String, NetError> {
        let mut command = program::git(self.git.dir());
        // The token is in the environment of this one program: argument lists and files are read by others.
        let mut settings: Vec<(String, String)> = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        settings.push((format!("http.{}.extraHeader", self.url), header));
        if let Some(ca) = &self.ca {
            settings.push(("http.sslCAInfo".to_owned(), ca.display().to_string()));
        }
        command.env("GIT_CONFIG_COUNT", settings.len().to_string()).env("GIT_ALLOW_PROTOCOL", "http:https").env("GIT_ASKPASS", "").env("SSH_ASKPASS", "");
        for (n, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
        }
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let away = |why: String| NetError::new(ForgeErrorKind::Unavailable, format!("git cannot reach {} at {}: {why}", self.id, self.url));
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(|error| away(format!("cannot run git: {error}")))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut printed, mut complaint) = (Vec::new(), Vec::new());
        let done = tokio::time::timeout(PATIENCE, async {
            // Read to their ends, so that git never waits for us; the beginnings are kept.
            tokio::join!(beginning(stdout, PRINTED, &mut printed), beginning(stderr, COMPLAINT, &mut complaint));
            child.wait().await
        });
        match done.await {
            Err(_) => Err(away(format!("it was not done after {} minutes", PATIENCE.as_secs() / 60))),
            Ok(Err(error)) => Err(away(error.to_string())),
            Ok(Ok(status)) if status.success() => Ok(String::from_utf8_lossy(&printed).into_owned()),
            Ok(Ok(_)) => {
                let said = crate::core::review::escape::cut(String::from_utf8_lossy(&complaint).trim(), 300);
                let error = away(if said.is_empty() { "it failed without a word".to_owned() } else { said.clone() });
                Err(NetError { message: said, ..error })
            }
        }
    }
}

/// Reads a pipe to its end and keeps how it begins.
async fn beginning(pipe: Option<impl tokio::io::AsyncRead + Unpin>, most: u64, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let _ = (&mut pipe).take(most).read_to_end(into).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
}
