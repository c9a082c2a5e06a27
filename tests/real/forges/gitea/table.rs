//! The rules that hold on every forge, on a real Gitea.

use super::house::House;

crate::forges::table::table!(House::new());
