//! `trueup demo`: the whole life of one merge request on loopback, told in plain words.

use super::{
    Exit,
    args::runtime,
    demo_world::{self, DemoWorld},
    term::{self, Color},
};
use crate::{
    core::{
        model::MrId,
        render,
        review::{Phase, View},
    },
    lab::sample,
};
use anyhow::Context as _;
use std::time::{Duration, Instant};

/// Runs a name server, a forge and trueup on loopback in this one process, and takes a merge request through its whole life.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup demo            waits for your approval, on the page it prints or by the command it prints
  trueup demo --yes      a second identity approves
  trueup demo --keep     stays up afterwards, to look around

Exit codes: 0 everything it says was checked to be true, 1 something was not.")]
pub struct DemoArgs {
    /// Let the second identity approve, instead of waiting for you.
    #[arg(long)]
    pub yes: bool,
    /// Stay up after the merge, until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
}

/// How long the demo waits for anything that needs no person.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits for a person.
const PATIENCE_WITH_PEOPLE: Duration = Duration::from_secs(3600);

pub fn run(args: &DemoArgs, color: Color) -> anyhow::Result<Exit> {
    runtime()?.block_on(async {
        let ended = tokio::select! {
            ended = tell(args, color) => ended,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted; nothing outlives the demo")),
        };
        ended.map(|()| Exit::Ok)
    })
}

async fn tell(args: &DemoArgs, color: Color) -> anyhow::Result<()> {
    let world = demo_world::start().await.context("cannot start the demo's world")?;
    println!("Everything below happens on loopback, in this one process and a temporary folder.\n");
    println!("  name server   {}   serves {}, takes signed updates (RFC 2136)", world.dns, sample::ZONE);
    println!("  trueup        {}", world.url());
    println!("  repository    {}", world.git_url("ana"));
    println!();

    println!("1. Ana pushes a branch and opens a merge request: “{}”.", sample::TITLE);
    let mr = world.propose().await?;
    println!("   {}/changes/{}/{}", world.url(), mr.repo, mr.number);
    let view = reach(&world, &mr, Phase::AwaitingApproval, PATIENCE, "observing the name server and compiling the plan").await?;
    let plan = view.plan.clone().context("a change that awaits approval has a plan")?;
    println!("\n2. trueup read the live zone, compared it with base and with what merging would give, and compiled this plan:\n");
    let sheet = render::Sheet::new(&plan, &view.kinds).digest(view.digest).way_back(view.way_back.as_deref());
    for line in render::text(&sheet, render::Style { color: color.on_stdout(), width: 100 }).lines() {
        println!("   {line}");
    }
    println!("\n   Nothing has been written. On the name server, www still is: {}", world.answer("www", "A").await?);

    let digest = view.digest.map(|digest| digest.short()).unwrap_or_default();
    if args.yes {
        println!("\n3. Ana cannot approve her own merge request. Ben reads the plan and approves exactly it: digest {digest}.");
        world.approve(&mr, "ben").await?;
    } else {
        println!("\n3. Ana cannot approve her own merge request; you are Ben. Approve the plan with digest {digest}, in another terminal:\n");
        println!("   TRUEUP_SERVER={} TRUEUP_TOKEN={} trueup mr approve {} --repo {}\n", world.url(), world.token("ben"), mr.number, mr.repo);
        println!("   or on the page above (sign in with the token {}). `trueup demo --yes` lets Ben do it.", world.token("ben"));
    }
    let people = if args.yes { PATIENCE } else { PATIENCE_WITH_PEOPLE };
    reach(&world, &mr, Phase::Verifying, people, "running the plan").await?;
    println!("\n4. The start gate read everything once more: what was approved was still what was there. Then the plan ran, every step");
    println!("   written to the journal before it was sent, and read back from the name server after it.");
    println!("   On the name server, www now is: {}", world.answer("www", "CNAME").await?);
    println!("\n5. Production is ahead of main now, and the merge request is still open: everything touched is read again and again");
    println!("   until it stayed true for its window.");
    let view = reach(&world, &mr, Phase::Merged, PATIENCE, "watching that it stays true").await?;
    let merged = view.merged.clone().context("a merged change names its commit")?;
    println!("\n6. Only then did trueup merge it: commit {} on main.", &merged.as_str()[..12]);

    println!("\nChecked after the fact, without asking trueup:");
    for truth in world.truths(&merged).await? {
        println!("   {} {}", if truth.holds { "✓" } else { "✗ NOT TRUE:" }, truth.says);
        anyhow::ensure!(truth.holds, "the demo found something that is not true");
    }
    println!("\nThe way back would have been one command, `/trueup restore`; every plan shows it before anybody approves.");
    if args.keep {
        println!("\nStill up: {} (token {}). Ctrl-C ends it.", world.url(), world.token("ben"));
        std::future::pending::<()>().await;
    }
    world.stop().await;
    Ok(())
}

/// Waits until the change reached a phase or went past it, with progress; a phase it does not leave by itself ends the demo.
async fn reach(world: &DemoWorld, mr: &MrId, phase: Phase, patience: Duration, doing: &str) -> anyhow::Result<View> {
    let spinner = term::spinner();
    spinner.set_message(doing.to_owned());
    let mut glance = world.service().watch(mr);
    let started = Instant::now();
    loop {
        let view = world.service().view(mr).await?;
        if view.phase == phase || (phase == Phase::Verifying && matches!(view.phase, Phase::Merging | Phase::Merged)) {
            spinner.finish_and_clear();
            return Ok(view);
        }
        spinner.set_message(format!("{doing}: {}", view.waits_for));
        let stuck = match view.phase {
            Phase::Refused | Phase::Conflicted | Phase::Failed | Phase::Closed | Phase::Restored | Phase::Empty => true,
            Phase::Planning | Phase::AwaitingApproval | Phase::Queued | Phase::Rolling | Phase::Verifying | Phase::Merging | Phase::Merged | Phase::Paused | Phase::Restoring => {
                false
            }
        };
        if stuck {
            spinner.finish_and_clear();
            let faults: Vec<String> = view.refusals.iter().map(render::refusal).chain(view.failures.iter().map(|failure| failure.why.clone())).collect();
            anyhow::bail!("the merge request is {}: {}\n{}", view.phase, view.waits_for, faults.join("\n"));
        }
        let left =
            patience.checked_sub(started.elapsed()).with_context(|| format!("the merge request is still {} after {}s: {}", view.phase, patience.as_secs(), view.waits_for))?;
        if let Ok(changed) = tokio::time::timeout(left.min(Duration::from_secs(1)), glance.changed()).await {
            changed.context("the change's worker ended")?;
        }
    }
}
