//! The health window counts samples without a gap, and never elapsed time.

use trueup::core::{
    gate::Window,
    model::{HealthRule, Policy, Probe, PrometheusProbe, Span, Time},
    plan::Healthy,
};

fn policy() -> Policy {
    Policy { window: Span::secs(3), every: Span::secs(1), deadline: Span::secs(10), max_age: Span::secs(60), ..Policy::default() }
}

fn sample(window: &mut Window, n: u64, at: i64) {
    window.ask(n, Time(at));
    window.pass(Time(at));
}

#[test]
fn a_window_holds_after_as_many_samples_as_cover_it() {
    let mut window = Window::new(&policy());
    for n in 0..3 {
        sample(&mut window, n, n as i64 * 1000);
        assert!(!window.held(), "after sample {n}");
    }
    sample(&mut window, 3, 3000);
    assert!(window.held());
}

#[test]
fn a_gap_over_twice_the_interval_starts_the_window_over() {
    let mut window = Window::new(&policy());
    for n in 0..3 {
        sample(&mut window, n, n as i64 * 1000);
    }
    sample(&mut window, 3, 4001);
    assert!(!window.held());
    assert_eq!(window.good(), 1);
}

#[test]
fn a_bad_sample_starts_the_window_over_even_when_it_held() {
    let mut window = Window::new(&policy());
    for n in 0..4 {
        sample(&mut window, n, n as i64 * 1000);
    }
    window.ask(4, Time(4000));
    window.miss(Time(4000));
    assert!(!window.held());
    assert!(!window.fresh(Time(4000), Span::secs(60)));
}

#[test]
fn a_leap_of_the_clock_completes_no_window_and_uses_up_no_deadline() {
    let mut window = Window::new(&policy());
    sample(&mut window, 0, 0);
    sample(&mut window, 1, 1000);
    sample(&mut window, 2, 86_400_000);
    assert!(!window.held());
    assert!(!window.expired(), "a day's leap counts as one gap");
    window.clock_back(Span::mins(60));
    assert_eq!(window.good(), 0);
    assert_eq!(window.due(), Some(Time(86_400_000 - 3_600_000 + 1000)), "the next sample is as near as before the clock went back");
}

#[test]
fn a_slow_read_is_no_gap_and_one_older_than_max_age_is_no_sample() {
    let mut window = Window::new(&policy());
    for n in 0..4 {
        let at = n as i64 * 6000;
        window.ask(n, Time(at));
        window.pass(Time(at + 5000));
    }
    assert!(window.held(), "each was looked at for five seconds, with a second between");
    window.ask(4, Time(24_000));
    window.pass(Time(24_000 + 60_001));
    assert!(!window.held(), "what it saw says nothing about now");
}

#[test]
fn a_held_window_is_fresh_only_within_max_age_of_what_was_seen() {
    let mut window = Window::new(&policy());
    for n in 0..4 {
        sample(&mut window, n, n as i64 * 1000);
    }
    assert!(window.fresh(Time(63_000), Span::secs(60)));
    assert!(!window.fresh(Time(63_001), Span::secs(60)));
    assert!(!window.fresh(Time(2_000), Span::secs(60)), "a sample from the future is not fresh");
    // The wait for people before the merge is no gap; one sample refreshes it.
    sample(&mut window, 4, 100_000);
    assert!(window.held() && window.fresh(Time(100_000), Span::secs(60)));
}

#[test]
fn health_that_takes_longer_than_the_deadline_expires() {
    let mut window = Window::new(&policy());
    for n in 0..20 {
        window.ask(n, Time(n as i64 * 1000));
        window.miss(Time(n as i64 * 1000));
    }
    assert!(window.expired());
}

#[test]
fn what_a_prometheus_scraped_before_the_write_cannot_fill_its_row() {
    let needed = |lag: Option<Span>| {
        let asked = PrometheusProbe { server: "main".into(), query: "up".into(), test: "> 0".into(), lag };
        let probe = HealthRule { prometheus: Some(asked), ..HealthRule::default() }.probe().expect("it asks one thing");
        Window::new(&policy()).watching(&[Healthy { probe, policy: true, of: Default::default(), place: Default::default() }], &policy()).needed()
    };
    assert_eq!(needed(Some(Span(0))), 4);
    assert_eq!(needed(Some(Span::secs(5))), 9);
    assert_eq!(needed(None), 64, "a minute is what a Prometheus scrapes by, where nobody says otherwise");
    let old = r#"{"ask":{"prometheus":{"server":"main","query":"up","test":"> 0"}},"every":null,"window":null,"deadline":null,"timeout":"10s"}"#;
    let old: Probe = serde_json::from_str(old).expect("older versions wrote it");
    assert_eq!(old.lag(), Span(0), "a plan that was approved before waits for what it said");
}
