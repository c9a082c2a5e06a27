//! `git push` and `git fetch` over HTTP.

use super::house::{House, Staff, clean_git};
use insta::assert_snapshot;
use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use trueup::{
    core::{
        model::{RepoId, User},
        review::Right,
    },
    forges::local::LocalForge,
    ports::People,
    web::git_http::{self, GitDoor},
};

struct Door {
    forge: Arc<LocalForge>,
    pushes: AtomicUsize,
}

impl GitDoor for Door {
    fn sign_in(&self, user: &str, token: &str) -> Option<User> {
        (token == format!("{user}-token")).then(|| User::new(user))
    }

    fn right(&self, repo: &RepoId, who: &User) -> Right {
        Staff.right(repo, who)
    }

    fn dir(&self, repo: &RepoId) -> Option<PathBuf> {
        self.forge.dir(repo)
    }

    fn pushed(&self, _: &RepoId) {
        self.pushes.fetch_add(1, Ordering::SeqCst);
    }
}

/// A house with its door on loopback.
struct Street {
    house: House,
    door: Arc<Door>,
    port: u16,
}

impl Street {
    async fn of(house: House, push_bytes: u64) -> Self {
        let door = Arc::new(Door { forge: house.forge.clone(), pushes: AtomicUsize::new(0) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = git_http::router(door.clone(), push_bytes);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { house, door, port }
    }

    fn url(&self, who: &str) -> String {
        format!("http://{who}:{who}-token@127.0.0.1:{}/git/dns.git", self.port)
    }

    /// Runs git in ada's clone without blocking the server.
    async fn git(&self, args: &[&str]) -> Output {
        let dir = self.house.folder.path().join("ada");
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        tokio::task::spawn_blocking(move || clean_git(&dir, "ada").args(args).output().unwrap()).await.unwrap()
    }

    /// `taken`, or the lines that tell why not.
    async fn told(&self, args: &[&str]) -> String {
        let done = self.git(args).await;
        let stderr = String::from_utf8_lossy(&done.stderr).replace(&self.port.to_string(), "PORT");
        match done.status.success() {
            true => "taken".into(),
            false => stderr
                .lines()
                .filter(|line| line.starts_with("remote: ") || line.starts_with("fatal:") || line.contains("rejected"))
                .map(|line| line.trim().to_owned())
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }
}

const ROOM: u64 = 1 << 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_pushed_fetched_and_its_pusher_known() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let mr = street.house.open("t").await;
    street.house.write("ada", "zone", "8\n");
    assert_eq!(street.told(&["push", "-q", &street.url("grace"), "mr"]).await, "taken");
    assert_eq!(street.door.pushes.load(Ordering::SeqCst), 1, "told before git has its answer");
    let seen = street.house.look(&mr).await;
    assert_eq!(seen.head.as_str(), street.house.git("ada", &["rev-parse", "mr"]));
    assert_eq!(seen.pushers, [User::new("ada"), User::new("grace")].into());
    assert_eq!(street.told(&["fetch", "-q", &street.url("eve"), "main"]).await, "taken");
    assert_eq!(street.house.git("ada", &["rev-parse", "FETCH_HEAD"]), street.house.tip("main").as_str());
    assert_eq!(street.door.pushes.load(Ordering::SeqCst), 1, "a fetch is no push");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_governed_branch_is_refused_over_http_even_to_admins() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let base = street.house.tip("main");
    for who in ["ada", "root"] {
        let told = street.told(&["push", &street.url(who), "mr:main"]).await;
        assert!(told.contains("remote: trueup: `main` is moved by trueup alone; push a branch and open a merge request"), "{told}");
    }
    assert_eq!(street.house.tip("main"), base);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_starts_an_empty_repository_over_http() {
    let house = House::empty().await;
    house.clone_as("ada");
    house.write("ada", "zone", "1\n");
    let street = Street::of(house, ROOM).await;
    let told = street.told(&["push", &street.url("ada"), "main"]).await;
    assert!(told.contains("remote: trueup: `main` does not exist yet; an admin of the repository pushes it first"), "{told}");
    assert_eq!(street.told(&["push", "-q", &street.url("root"), "main"]).await, "taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_what_to_do() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let url = street.url("eve");
    assert_snapshot!(street.told(&["push", &url, "mr"]).await, @r"
    remote: you may read this repository, not push to it; ask an admin of it
    fatal: unable to access 'http://127.0.0.1:PORT/git/dns.git/': The requested URL returned error: 403
    ");
    let nobody = street.url("mallory");
    assert_snapshot!(street.told(&["fetch", &nobody, "main"]).await, @r"
    remote: no such repository, or you may not read it; ask an admin of the server
    fatal: repository 'http://127.0.0.1:PORT/git/dns.git/' not found
    ");
    let wrong = street.url("ada").replace("ada-token", "guess");
    assert_snapshot!(street.told(&["fetch", &wrong, "main"]).await, @r"
    remote: sign in with your user name and token
    fatal: Authentication failed for 'http://127.0.0.1:PORT/git/dns.git/'
    ");
    let elsewhere = street.url("ada").replace("/git/dns.git", "/git/other.git");
    assert_snapshot!(street.told(&["fetch", &elsewhere, "main"]).await, @r"
    remote: no such repository, or you may not read it; ask an admin of the server
    fatal: repository 'http://127.0.0.1:PORT/git/other.git/' not found
    ");
    assert_eq!(street.door.pushes.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_larger_than_the_server_takes_is_refused() {
    let street = Street::of(House::furnished().await, 10_000).await;
    // Text that does not compress: the pack is as large as the file.
    let noise: String = (0u64..8000).map(|n| format!("{:016x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    street.house.write("ada", "large", &noise);
    let before = street.house.tip("mr");
    let done = street.git(&["push", &street.url("ada"), "mr"]).await;
    assert!(!done.status.success() && String::from_utf8_lossy(&done.stderr).contains("exceeds maximum allowed size"), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(street.house.tip("mr"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_push_is_streamed_and_arrives_whole() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let noise: String = (0u64..400_000).map(|n| format!("{:016x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    street.house.write("ada", "large", &noise);
    assert_eq!(street.told(&["push", "-q", &street.url("ada"), "mr"]).await, "taken");
    assert_eq!(street.house.tip("mr").as_str(), street.house.git("ada", &["rev-parse", "mr"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_gits_own_requests_is_served() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let client = reqwest::Client::new();
    for path in [
        "dns.git/HEAD",
        "dns.git/config",
        "dns.git/objects/info/packs",
        "../dns.git/info/refs?service=git-upload-pack",
        "dns.git/info/refs",
        "dns.git/info/refs?service=git-upload-archive",
    ] {
        let answer = client.get(format!("http://127.0.0.1:{}/git/{path}", street.port)).basic_auth("root", Some("root-token")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    let open = client.get(format!("http://127.0.0.1:{}/git/dns.git/info/refs?service=git-upload-pack", street.port)).send().await.unwrap();
    assert_eq!((open.status().as_u16(), open.headers()["www-authenticate"].to_str().unwrap()), (401, "Basic realm=\"trueup\", charset=\"UTF-8\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_name_in_a_push_does_not_hide_who_pushed_the_first() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let mr = street.house.open("t").await;
    street.house.write("ada", "zone", "8\n");
    let (dir, url) = (street.house.folder.path().join("ada"), street.url("grace"));
    let odd = OsString::from_vec(b"mr:refs/heads/x\xff".to_vec());
    let pushed = tokio::task::spawn_blocking(move || clean_git(&dir, "ada").args(["push", "-q", &url, "mr"]).arg(odd).output().unwrap()).await.unwrap();
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    assert!(street.house.look(&mr).await.pushers.contains(&User::new("grace")));
    // As git's hook writes it when one name of the push is refused afterwards: its tip never arrives.
    let (tip, never) = (street.house.tip("mr"), "3333333333333333333333333333333333333333");
    std::fs::write(street.house.bare().join("trueup/pushes/push.half"), format!("{tip}\troot\trefs/heads/mr\n{never}\troot\trefs/heads/other\n")).unwrap();
    assert!(street.house.look(&mr).await.pushers.contains(&User::new("root")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_names_one_file_twice_is_refused() {
    let street = Street::of(House::furnished().await, ROOM).await;
    let house = &street.house;
    let entry = |blob: &str| {
        let id: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap()).collect();
        [b"100644 zone\0".as_slice(), &id].concat()
    };
    let (one, two) = (house.git("ada", &["rev-parse", "main:zone"]), house.git("ada", &["rev-parse", "mr:zone"]));
    std::fs::write(house.folder.path().join("tree"), [entry(&one), entry(&two)].concat()).unwrap();
    let tree = house.git("ada", &["hash-object", "-t", "tree", "--literally", "-w", "../tree"]);
    let commit = house.git("ada", &["commit-tree", &tree, "-p", "main", "-m", "twice"]);
    let done = street.git(&["push", &street.url("ada"), &format!("{commit}:refs/heads/twice")]).await;
    assert!(String::from_utf8_lossy(&done.stderr).contains("duplicateEntries"), "{}", String::from_utf8_lossy(&done.stderr));
}
