//! What a driver must bring to be tested: its server, names and values nobody else uses, and a hand beside the driver's.

use std::io::Write as _;
use trueup::{
    core::model::{ResourceId, Unit, Value},
    ports::Driver,
};

/// One driver with a fresh piece of its real server.
pub trait World: Send + Sync {
    fn name(&self) -> &'static str;

    fn driver(&self) -> &dyn Driver;

    fn unit(&self) -> Unit;

    /// The `n`-th id of this world; many kinds of resource among the first ten.
    fn id(&self, n: usize) -> ResourceId;

    /// The `v`-th canonical value of the `n`-th resource; different `v`, different values.
    fn value(&self, n: usize, v: usize) -> Value;

    /// Changes the server by another hand than the driver's.
    fn by_hand(&self, id: &ResourceId, value: Option<&Value>);

    /// Everything live, as another program than the driver sees it.
    fn raw(&self) -> Vec<String>;

    /// Whether what is sent can be lost: not where a call is a system call.
    fn can_lose(&self) -> bool {
        true
    }

    /// Whether a group of writes can be asked for all or none.
    fn keeps_groups(&self) -> bool {
        false
    }

    /// Loses the next write's request, or its reply after it took effect; only when `can_lose`.
    fn lose(&self, what: Lost);

    /// How many writing messages the server has got.
    fn effects(&self) -> u64;

    /// A resource that the server refuses to write though its value is good, if one can be made.
    fn forbidden(&self) -> Option<(ResourceId, Value)>;

    /// Values that the kind or the server cannot hold.
    fn unholdable(&self) -> Vec<(ResourceId, Value)>;

    /// Sends the value past the driver's own judgement; true when the server takes it.
    fn server_takes(&self, id: &ResourceId, value: &Value) -> Option<bool>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Request,
    Reply,
}

/// Prints that a rung, or a part of one, is not climbed; past the test runner's capture, so that it is always seen.
pub fn skip(world: &dyn World, rung: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {rung} on {}: {why}", world.name());
}
