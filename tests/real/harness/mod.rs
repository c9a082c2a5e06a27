//! Starts real servers on loopback and stops them, whatever becomes of the test.

mod bind;
mod browser;
mod canary;
mod certificates;
mod client;
mod consul;
mod cut;
mod disk;
mod dns;
mod etcd;
mod http_proxy;
mod knot;
mod lab;
mod package;
mod ports;
mod process;
mod prometheus;
mod proxy;
mod site;

pub use browser::Browser;
pub use canary::Canaries;
pub use certificates::Certificates;
pub use client::Client;
pub use consul::{ConsulServer, TOKEN as CONSUL_TOKEN};
pub use cut::CutProxy;
pub use disk::SmallDisk;
pub use dns::{DnsServer, KEY_ALGORITHM, KEY_NAME, KEY_SECRET, WRONG_SECRET};
pub use etcd::{EtcdServer, PASSWORD as ETCD_PASSWORD, USER as ETCD_USER};
pub use http_proxy::HttpProxy;
pub use lab::Lab;
pub use package::package;
pub use ports::free_port;
pub use process::{Process, built, wait_for};
pub use prometheus::Prometheus;
pub use proxy::{Loss, Proxy};
pub use site::Site;
