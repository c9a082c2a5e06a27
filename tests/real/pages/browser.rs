//! The demo and the pages beside it in a real browser: what a person sees before, while and after a run.

use crate::{harness::Browser, lab::Demo};
use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
};
use tempfile::TempDir;

/// The widths of a phone and of a desk.
const WIDTHS: [u32; 2] = [390, 1280];

/// Where screenshots are put: a folder that stays when the test fails, or the one that `TRUEUP_SCREENSHOTS` names.
struct Album {
    folder: PathBuf,
    kept: Option<TempDir>,
}

impl Album {
    fn new() -> Self {
        match std::env::var_os("TRUEUP_SCREENSHOTS") {
            Some(folder) => {
                std::fs::create_dir_all(&folder).unwrap();
                Self { folder: folder.into(), kept: None }
            }
            None => {
                let kept = tempfile::tempdir().unwrap();
                Self { folder: kept.path().to_owned(), kept: Some(kept) }
            }
        }
    }

    /// The page of somebody who was signed out by a restart: the connection was cut, and the next answer was that nobody is signed in.
    fn take_of_a_cut_connection(&self, browser: &mut Browser) {
        let faults = browser.faults();
        assert!(faults.iter().all(|fault| fault.contains("net::ERR_") || fault.contains("401") || fault.contains("EventSource")), "{faults:?}");
        self.take(browser, "signed-out");
    }

    /// Looks at the page in every width, light and dark: nothing may overflow, and a picture is kept.
    fn take(&self, browser: &mut Browser, name: &str) {
        for width in WIDTHS {
            browser.size(width, 900);
            for (dark, scheme) in [(false, "light"), (true, "dark")] {
                browser.dark(dark);
                browser.screenshot(&self.folder.join(format!("{name}-{width}-{scheme}.png")));
            }
            let wide = browser.eval("[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 120)).join('\\n')");
            assert_eq!(wide, "", "{name} overflows at {width} pixels");
            let all = browser.eval("document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(all, true, "{name} scrolls sideways at {width} pixels");
        }
        assert_eq!(browser.faults(), Vec::<String>::new(), "{name}: the page has errors");
    }
}

impl Drop for Album {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(kept) = self.kept.take()
        {
            eprintln!("screenshots are in {}", kept.keep().display());
        }
    }
}

const PHASE: &str = "document.querySelector('#live .phase').className";

/// `trueup mr` as Ana.
fn mr(server: &str, args: &[&str]) {
    let said = Command::new(env!("CARGO_BIN_EXE_trueup")).arg("mr").args(args).args(["--server", server, "--token", "demo-ana"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// Fills in the page for signing in, which leads to the first change.
fn sign_in(browser: &mut Browser) {
    browser.until("document.readyState === 'complete' && document.querySelector('form.login') !== null");
    browser.eval("document.querySelector('input[name=token]').value = 'demo-ben'; document.querySelector('form.login').submit()");
    browser.until("location.pathname === '/changes/shop/1' && document.readyState === 'complete'");
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_person_approves_on_the_page_and_watches_it_live_to_the_merge() {
    let mut demo = Demo::start(&["--keep"]);
    demo.until("/changes/shop/1\n");
    let server = demo.word("http://127");
    let (mut browser, album) = (Browser::start(), Album::new());

    // Who is not signed in is asked to, and led back.
    browser.open(&server);
    browser.until("location.pathname === '/login'");
    album.take(&mut browser, "sign-in");
    browser.open(&format!("{server}/login?next=/changes/shop/1"));
    sign_in(&mut browser);

    // Before: the plan, its order, who must approve, the way back.
    demo.until("Approve the plan with digest");
    browser.until(&format!("{PHASE}.includes('awaiting_approval') && document.querySelectorAll('.step').length >= 3"));
    let shown = browser.eval("document.body.innerText").as_str().unwrap().to_owned();
    for text in ["Approve this plan", "_shop._tcp.shop.test SRV", "shop/pool", "1 missing", "The way back", "Why in this order"] {
        assert!(shown.contains(text), "no `{text}` in\n{shown}");
    }
    assert_eq!(browser.eval("document.querySelectorAll('svg.graph .node').length === document.querySelectorAll('.step').length"), true, "every step is in the picture");
    album.take(&mut browser, "before");

    // While: the server is killed in the middle, the page says so and goes on by itself, as far as who was signed in stays known.
    browser.eval("[...document.querySelectorAll('button')].find(b => b.textContent === 'Approve this plan').click()");
    demo.until("kill -9");
    // On a machine that is slow enough the server is dead before the page is there again; then there is nothing to see on it.
    browser.until("document.getElementById('out') === null || !document.getElementById('out').hidden");
    if browser.eval("document.getElementById('out') === null") == true {
        demo.until("it is started again");
        browser.open(&format!("{server}/login?next=/changes/shop/1"));
    } else {
        album.take_of_a_cut_connection(&mut browser);
        browser.eval("document.querySelector('#out a').click()");
    }
    sign_in(&mut browser);
    browser.eval("window.loadedOnce = true");
    album.take(&mut browser, "while");
    browser.until(&format!("{PHASE}.includes('merged')"));
    assert_eq!(browser.eval("window.loadedOnce"), true, "the page was loaded again");
    assert_eq!(browser.eval("document.querySelectorAll('.step').length === document.querySelectorAll('.step.proven').length"), true);
    demo.until("Still up:");
    album.take(&mut browser, "after");

    // The second change was refused: the fault with its place.
    browser.open(&format!("{server}/changes/shop/2"));
    browser.until(&format!("{PHASE}.includes('refused')"));
    assert!(browser.eval("document.querySelector('.refusal').innerText").as_str().unwrap().contains("config/shop/banner:1:1"));
    album.take(&mut browser, "refused");
    // What happens elsewhere is seen at once, and the page is not loaded again.
    browser.eval("window.loadedOnce = true");
    mr(&server, &["comment", "shop!2", "who wrote that?"]);
    browser.until("document.querySelector('#rest').innerText.includes('who wrote that?')");
    assert_eq!(browser.eval("window.loadedOnce"), true, "the page was loaded again");
    mr(&server, &["close", "shop!2"]);
    browser.until(&format!("{PHASE}.includes('closed')"));
    browser.open(&format!("{server}/changes"));
    assert_eq!(browser.eval("document.querySelectorAll('.changes a').length"), 2);
    album.take(&mut browser, "list");
    browser.open(&format!("{server}/changes/shop/99"));
    browser.faults();
    album.take(&mut browser, "fault");

    let said = demo.said();
    assert!(said.contains("kill -9") && !said.contains('\u{1b}') && !said.contains("NOT TRUE"), "{said}");
    assert_eq!(demo.interrupt(), Some(1));
    assert!(is_empty(demo.folder.path()), "Ctrl-C leaves nothing behind");
}
