//! `trueup demo`: the whole life of a merge request on loopback, told in plain words, while a client sends requests to what it changes.

use super::{
    Exit,
    args::runtime,
    client::Mr,
    demo_world::DemoWorld,
    live::{self, Screen, Stream, Verdict},
    term::Color,
};
use crate::{
    core::review::{Phase, escape::plain},
    lab::{
        sample,
        shop::{Counter, Tally},
    },
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// Runs a small shop with its name server and keys on loopback, and takes a merge request through its whole life while a client sends requests.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup demo            waits for your approval, on the page it prints or by the command it prints
  trueup demo --yes      a second identity approves
  trueup demo --keep     stays up afterwards, to look around

On a terminal the steps are drawn live; elsewhere every news is a line.

Exit codes: 0 everything it says was checked to be true and no request failed, 1 something was not.")]
pub struct DemoArgs {
    /// Let the second identity approve, instead of waiting for you.
    #[arg(long)]
    pub yes: bool,
    /// Stay up at the end, until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
}

/// How long the demo waits for anything that needs no person.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long it waits for a person.
const PATIENCE_WITH_PEOPLE: Duration = Duration::from_secs(3600);
/// How long one may look at the run before it is disturbed; a page on which somebody has just approved is loaded by then.
const LOOK: Duration = Duration::from_secs(1);
/// How long the server stays dead: long enough to see that nobody misses it.
const DEAD: Duration = Duration::from_secs(1);

pub fn run(args: &DemoArgs, color: Color) -> anyhow::Result<Exit> {
    runtime()?.block_on(async {
        let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        let interrupted = async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        // Whatever ends it, its world is dropped here, and with it the server's process and the folder.
        let ended = tokio::select! {
            ended = tell(args, color) => ended,
            () = interrupted => Err(anyhow::anyhow!("interrupted; nothing outlives the demo")),
        };
        ended.map(|()| Exit::Ok)
    })
}

async fn tell(args: &DemoArgs, color: Color) -> anyhow::Result<()> {
    let mut world = DemoWorld::start().await.context("cannot start the demo's world")?;
    let (bold, plain_again) = if color.on_stdout() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let head = |text: &str| println!("\n{bold}{text}{plain_again}");
    println!("Everything below happens on loopback, in this program, a second process of it, and a temporary folder.\n");
    println!("  name server   {}   serves {}, takes signed updates (RFC 2136)", world.shop.dns, sample::ZONE);
    println!("  keys          a folder of files: {} is the pool that two front ends follow", sample::POOL);
    println!("  the shop      release 1 runs behind front-1, release 2 waits behind front-2; clients find it by the record _shop._tcp SRV");
    println!("  a client      sends it 50 requests a second, from now to the end, and counts every answer");
    println!("  trueup        {}   sign in with the token {}", world.url(), world.token("ben"));

    let proposal = sample::release_2(&world.shop.ports);
    head(&format!("1. Ana opens a merge request: “{}”.", proposal.title));
    println!("   It changes a key and a record: requests shall go to release 2, through front-2. What served them until now leaves.");
    let mr = world.propose(&proposal).await?;
    println!("   {}/changes/{}/{}", world.url(), mr.repo, mr.number);
    let change = until(&mr, &mut Screen::quiet(), PATIENCE, |change| is(change, Phase::AwaitingApproval)).await?;

    head("2. trueup read what is live, compared it with main and with what merging would give, and compiled one plan over both systems:");
    println!();
    let paint = if color.on_stdout() { "true" } else { "false" };
    for line in mr.client.text(&mr.path(&["plan"]), &[("format", "text"), ("color", paint)]).await?.lines() {
        println!("   {line}");
    }
    println!("\n   The order comes from the data, health is asked of front-2 itself, the way back is known, and nothing has been written. {}", so_far(&world.shop.tally()));

    let digest: String = text(&change["digest"]).chars().take(12).collect();
    if args.yes {
        head(&format!("3. Ana cannot approve what she wrote. Ben reads the plan and approves exactly it: digest {digest}."));
        approve(&mr, &change).await?;
    } else {
        head(&format!("3. Ana cannot approve what she wrote; you are Ben. Approve the plan with digest {digest}, on its page or in another terminal:"));
        println!("\n   TRUEUP_SERVER={} TRUEUP_TOKEN={} trueup mr approve {} --repo {}\n", world.url(), world.token("ben"), mr.number, mr.repo);
        println!("   `trueup demo --yes` lets Ben do it.");
    }
    head("4. It runs: every step is in the journal before it is sent, and is read back from the live system after it.");
    println!();
    let counter = world.shop.counter();
    let mut screen = Screen::new(Stream::Stdout, color.on_stdout(), "   ").with_below(traffic(counter.clone()));
    let people = if args.yes { PATIENCE } else { PATIENCE_WITH_PEOPLE };
    until(&mr, &mut screen, people, |change| begun(change) || is(change, Phase::Verifying) || is(change, Phase::Merged)).await?;
    // It ends by the clock alone; what became of the change is read afterwards.
    let _ = tokio::time::timeout(LOOK, live::follow(&mr, &mut screen, &mut |_| Verdict::GoOn)).await;

    let before = counter.read();
    screen.say(&format!("✗ kill -9 {}: production is ahead of main, the merge request is open, and the server dies without a word.", world.pid()));
    world.kill_server()?;
    tokio::time::sleep(DEAD).await;
    let during = counter.read().all() - before.all();
    world.start_server_again().await?;
    screen.say(&format!("✓ {during} requests later it is started again, reads its journal, looks at what is really there, and goes on."));
    let change = until(&mr, &mut screen, PATIENCE, |change| is(change, Phase::Merged)).await?;
    screen.end(true);
    let merged = text(&change["merged"]);
    let twice = world.written_twice(&mr).await?;
    anyhow::ensure!(twice.is_empty(), "written twice, by the journal: {}", json!(twice));

    head(&format!(
        "5. Everything it touched stayed true for its window, and front-2 passed its health check. Only then did trueup merge it: commit {} on main.",
        merged.chars().take(12).collect::<String>()
    ));
    world.shop.switch_old_off().await;
    println!("   Release 1 and front-1 are switched off now; nobody is sent there any more.");
    println!("\n   Checked without asking trueup:");
    for truth in world.truths(&merged).await? {
        println!("   {} {}", if truth.holds { "✓" } else { "✗ NOT TRUE:" }, truth.says);
        anyhow::ensure!(truth.holds, "the demo found something that is not true");
    }
    drift(&world, head).await?;
    if args.keep {
        println!("\nStill up: {} (token {}). Ctrl-C ends it.", world.url(), world.token("ben"));
        std::future::pending::<()>().await;
    }
    let tally = world.stop().await;
    println!("\n{bold}{}{plain_again}", total(&tally));
    anyhow::ensure!(tally.failed == 0, "{} failed: {}", requests(tally.failed), tally.told.join("; "));
    let served = |release: &str| tally.answers.get(release).copied().unwrap_or(0);
    anyhow::ensure!(served(sample::RELEASE_1) > 0 && served(sample::RELEASE_2) > 0, "the client was not served by both releases, so its count says nothing");
    Ok(())
}

/// The second act: a hand changes what a merge request is about to change.
async fn drift(world: &DemoWorld, head: impl Fn(&str)) -> anyhow::Result<()> {
    let proposal = sample::sale();
    head(&format!("6. Ana opens the next one: “{}”. Its plan is made and Ben wants to approve it; but meanwhile…", proposal.title));
    let mr = world.propose(&proposal).await?;
    let change = until(&mr, &mut Screen::quiet(), PATIENCE, |change| is(change, Phase::AwaitingApproval)).await?;
    world.edit_by_hand(sample::BANNER, sample::BY_HAND)?;
    println!("   …somebody writes “{}” into the live key {}, past every repository. Ben approves.", sample::BY_HAND, sample::BANNER);
    approve(&mr, &change).await?;
    let change = until(&mr, &mut Screen::quiet(), PATIENCE, |change| is(change, Phase::Refused)).await?;
    println!("   The start gate reads once more before it writes, and stops:\n");
    for refusal in change["refusals"].as_array().into_iter().flatten() {
        for line in refusal["text"].as_str().unwrap_or_default().trim_end().lines() {
            println!("     {}", plain(line));
        }
    }
    let left_alone = world.live_key(sample::BANNER)? == sample::BY_HAND;
    println!("\n   {} the live key is still what the hand wrote: nothing was written over", if left_alone { "✓" } else { "✗ NOT TRUE:" });
    anyhow::ensure!(left_alone, "the demo found something that is not true");
    Ok(())
}

async fn approve(mr: &Mr, change: &Value) -> anyhow::Result<()> {
    mr.post(&["approve"], json!({ "digest": change["digest"] })).await.map(drop)
}

fn is(change: &Value, phase: Phase) -> bool {
    phase_of(change) == Some(phase)
}

fn phase_of(change: &Value) -> Option<Phase> {
    change["phase"].as_str().and_then(Phase::parse)
}

/// Whether a step is done and another is not.
fn begun(change: &Value) -> bool {
    is(change, Phase::Rolling) && change["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["state"] == "proven"))
}

fn text(value: &Value) -> String {
    value.as_str().map(plain).unwrap_or_default()
}

/// Follows the change until it is as wanted; a phase it does not leave by itself ends the demo.
async fn until(mr: &Mr, screen: &mut Screen, patience: Duration, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let stuck = |change: &Value| match phase_of(change) {
        Some(Phase::Refused | Phase::Conflicted | Phase::Failed | Phase::Closed | Phase::Restored | Phase::Empty) => true,
        Some(Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Merged | Phase::Paused | Phase::Restoring)
        | None => false,
    };
    let mut judge = |change: &Value| if wanted(change) || stuck(change) { Verdict::Reached } else { Verdict::GoOn };
    let followed = tokio::time::timeout(patience, live::follow(mr, screen, &mut judge)).await;
    let change = mr.show().await?;
    let (phase, waits_for) = (text(&change["phase"]), text(&change["waits_for"]));
    match followed {
        Err(_) => anyhow::bail!("the merge request is still {phase} after {}s: {waits_for}", patience.as_secs()),
        Ok(ended) => ended?,
    };
    if stuck(&change) && !wanted(&change) {
        let faults = ["refusals", "failures"].into_iter().flat_map(|list| change[list].as_array().into_iter().flatten());
        let faults: Vec<String> = faults.map(|fault| text(if fault["text"].is_null() { &fault["why"] } else { &fault["text"] })).collect();
        anyhow::bail!("the merge request is {phase}: {waits_for}\n{}", faults.join("\n"));
    }
    Ok(change)
}

fn requests(n: u64) -> String {
    if n == 1 { "1 request".to_owned() } else { format!("{n} requests") }
}

fn so_far(tally: &Tally) -> String {
    format!("So far {}, {} failed.", requests(tally.all()), tally.failed)
}

/// The last line.
fn total(tally: &Tally) -> String {
    let by: Vec<String> = tally.answers.iter().map(|(release, n)| format!("{n} answered by {release}")).collect();
    format!("The client sent {}: {}, {} failed.", requests(tally.all()), by.join(", "), tally.failed)
}

/// The client's line below the steps, with its rate over the last second.
fn traffic(counter: Counter) -> impl FnMut() -> String + Send {
    let mut seen: VecDeque<(Instant, u64)> = VecDeque::new();
    move || {
        let (tally, now) = (counter.read(), Instant::now());
        seen.push_back((now, tally.all()));
        while seen.len() > 2 && now - seen[0].0 > Duration::from_secs(1) {
            seen.pop_front();
        }
        let (since, first) = seen[0];
        let rate = (tally.all() - first) as f64 / (now - since).as_secs_f64().max(0.1);
        let by: Vec<String> = tally.answers.iter().map(|(release, n)| format!("{n} by {release}")).collect();
        format!("client: {}, {rate:.0}/s, {} failed ({})", requests(tally.all()), tally.failed, by.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::total;
    use crate::lab::shop::Tally;

    #[test]
    fn the_last_line_counts_every_request_once() {
        let tally = Tally { answers: [("release 1".to_owned(), 3), ("release 2".to_owned(), 4)].into(), failed: 2, told: Vec::new() };
        assert_eq!(total(&tally), "The client sent 9 requests: 3 answered by release 1, 4 answered by release 2, 2 failed.");
    }
}
