//! The other hand: dig and nsupdate against a name server.

use super::dns::{KEY_ALGORITHM, KEY_NAME, KEY_SECRET};
use std::{
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
};

/// Looks at a server, and changes it, with programs that are not ours.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub SocketAddr);

impl Client {
    /// Every record of the zone as `dig` prints a transfer, sorted, without the SOA.
    pub fn records(&self, zone: &str) -> Vec<String> {
        let key = format!("{KEY_ALGORITHM}:{KEY_NAME}:{KEY_SECRET}");
        let text = self.dig(&["-y", &key, "+noall", "+answer", "+onesoa", zone, "AXFR"]);
        let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = text.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).map(squeeze).filter(|line| !line.contains(" SOA ")).collect();
        lines.sort();
        lines
    }

    /// The zone's serial.
    pub fn serial(&self, zone: &str) -> u32 {
        let text = self.dig(&[zone, "SOA", "+short"]);
        text.split_whitespace().nth(2).and_then(|serial| serial.parse().ok()).unwrap_or_else(|| panic!("no serial in `{text}`"))
    }

    /// Runs dig against this server.
    pub fn dig(&self, args: &[&str]) -> String {
        let port = self.0.port().to_string();
        let out = Command::new("dig").args(["@127.0.0.1", "-p", &port, "+tries=3", "+time=20", "+norecurse"]).args(args).output().expect("dig is installed");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Changes the zone by hand: commands of nsupdate, such as `update add www.z1.test. 60 A 192.0.2.1`.
    pub fn by_hand(&self, zone: &str, commands: &str) {
        self.try_by_hand(zone, commands).unwrap_or_else(|why| panic!("nsupdate failed: {why}"));
    }

    /// The same where the server may refuse it.
    pub fn try_by_hand(&self, zone: &str, commands: &str) -> Result<(), String> {
        let script = format!("server 127.0.0.1 {}\nkey {KEY_ALGORITHM}:{KEY_NAME} {KEY_SECRET}\nzone {zone}\n{commands}\nsend\n", self.0.port());
        let mut child = Command::new("nsupdate").arg("-v").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("nsupdate is installed");
        // It may end at a line it cannot read; then its status says so.
        let _ = child.stdin.take().expect("it is piped").write_all(script.as_bytes());
        let out = child.wait_with_output().expect("nsupdate ends");
        if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
    }
}
