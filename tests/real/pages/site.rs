//! The pages on the wire: signing in, and what a browser may and may not do.

use reqwest::{Client, RequestBuilder, Response, header, redirect::Policy};
use tempfile::TempDir;
use trueup::{app::config, web::serve};

struct Site {
    running: serve::Running,
    client: Client,
    _dir: TempDir,
}

impl Site {
    /// A server with one person and no repository.
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("secrets")).unwrap();
        std::fs::write(dir.path().join("secrets/ana"), "ana-token").unwrap();
        let path = dir.path().join("server.yaml");
        std::fs::write(&path, "listen: 127.0.0.1:0\ndata: data\nsecrets: secrets\nusers:\n  - { name: ana, token: { file: ana } }\n").unwrap();
        let running = serve::start(config::load(&path).unwrap()).await.unwrap();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { running, client: Client::builder().redirect(Policy::none()).no_proxy().build().unwrap(), _dir: dir }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        self.client.get(self.url(path)).header(header::COOKIE, cookie).send().await.unwrap()
    }

    fn form(&self, path: &str, body: &'static str) -> RequestBuilder {
        self.client.post(self.url(path)).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }

    async fn sign_in(&self) -> String {
        let answer = self.form("/login", "token=ana-token&next=/changes").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), text(&answer, "location")), (303, "/changes"));
        text(&answer, "set-cookie").split(';').next().unwrap().to_owned()
    }
}

fn text<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let site = Site::start().await;
    let answer = site.get("/changes/a%2Fb/7", "").await;
    assert_eq!((answer.status().as_u16(), text(&answer, "location")), (303, "/login?next=/changes/a%252Fb/7"));
    let page = site.get("/login?next=/changes/a%252Fb/7", "").await.text().await.unwrap();
    assert!(page.contains(r#"name="next" value="/changes/a%2Fb/7""#), "{page}");
    site.running.stop().await;
}

#[tokio::test]
async fn a_session_shows_pages_until_it_is_closed() {
    let site = Site::start().await;
    let cookie = site.sign_in().await;
    let answer = site.get("/", &cookie).await;
    assert_eq!(answer.status(), 200);
    assert!(text(&answer, "content-security-policy").starts_with("default-src 'none'"));
    assert!(answer.text().await.unwrap().contains("No open change"));
    site.form("/logout", "").header(header::COOKIE, &cookie).send().await.unwrap();
    assert_eq!(site.get("/", &cookie).await.status(), 303);
    site.running.stop().await;
}

#[tokio::test]
async fn a_wrong_token_and_another_site_sign_nobody_in() {
    let site = Site::start().await;
    let wrong = site.form("/login", "token=guess").send().await.unwrap();
    assert!(wrong.status() == 401 && text(&wrong, "set-cookie").is_empty());
    let other = site.form("/login", "token=ana-token").header("origin", "http://evil.example").send().await.unwrap();
    assert!(other.status() == 403 && text(&other, "set-cookie").is_empty());
    let away = site.form("/login", "token=ana-token&next=//evil.example").send().await.unwrap();
    assert_eq!(text(&away, "location"), "/");
    site.running.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_browsers_and_json_for_programs() {
    let site = Site::start().await;
    let page = site.client.get(site.url("/nope")).header(header::ACCEPT, "text/html,application/xhtml+xml").send().await.unwrap();
    assert_eq!(page.status(), 404);
    let page = page.text().await.unwrap();
    assert!(page.contains(r#"<a href="/">All changes</a>"#), "{page}");
    for (path, accept) in [("/nope", "*/*"), ("/api/v1/nope", "text/html")] {
        let answer = site.client.get(site.url(path)).header(header::ACCEPT, accept).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), text(&answer, "content-type")), (404, "application/json"), "{path}");
    }
    site.running.stop().await;
}

#[tokio::test]
async fn a_button_on_another_site_does_nothing_and_a_missing_change_is_a_page() {
    let site = Site::start().await;
    let cookie = site.sign_in().await;
    let press = site.form("/changes/dns/1/command", "command=pause").header(header::COOKIE, &cookie);
    assert_eq!(press.header("sec-fetch-site", "cross-site").send().await.unwrap().status(), 403);
    let missing = site.get("/changes/dns/1", &cookie).await;
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await.unwrap().contains("All changes"));
    site.running.stop().await;
}
