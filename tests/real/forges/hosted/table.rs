//! The rules that hold on every forge, on a fake GitHub and a fake GitLab.

mod github {
    use crate::forges::{fake::Wire, hosted::world::FakeWorld};

    crate::forges::table::table!(FakeWorld::new(Wire::GitHub));
}

mod gitlab {
    use crate::forges::{fake::Wire, hosted::world::FakeWorld};

    crate::forges::table::table!(FakeWorld::new(Wire::GitLab));
}
