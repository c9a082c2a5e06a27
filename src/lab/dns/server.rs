//! Starts the server on a free port of loopback and stops it when its handle is dropped.

use super::zone::Zone;
use crate::{
    core::model::{Kind as _, Value},
    kinds::dns::{DNS, DnsName, RType, rrset_id, wire},
    ports::SecretText,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::{
    op::{MessageType, Metadata, OpCode, ResponseCode},
    rr::{
        LowerName, Name, RData, Record, TSigner,
        rdata::{SOA, tsig::TsigAlgorithm},
    },
};
use hickory_server::{
    Server,
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::{Catalog, MessageResponseBuilder},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, UdpSocket};

/// One zone to serve; its SOA is made here.
#[derive(Clone, Debug, Default)]
pub struct ZoneData {
    /// `example.com.`
    pub name: String,
    /// Owner relative to the zone (`@` for the apex), type, TTL, values in presentation form. Name servers of the apex are added when none are given.
    pub rrsets: Vec<(String, String, u32, Vec<String>)>,
}

/// The TSIG key that may read, transfer and update every zone: HMAC-SHA256.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: String,
    /// In base64.
    pub secret: SecretText,
}

/// A running server; dropping it stops it.
pub struct Running {
    pub addr: SocketAddr,
    server: Server<Front>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.shutdown_token().cancel();
    }
}

/// Why the server could not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot start the lab's name server: {what}")]
pub struct LabError {
    /// A lowercase fragment that says what to do next.
    pub what: String,
}

/// A client may be silent on a connection for so long: longer than any step between two questions of a demo.
const IDLE: Duration = Duration::from_secs(60);

/// Answers waiting on one connection: as many as a driver asks in one pipeline without making the server wait.
const ANSWERS_WAITING: usize = 256;

/// Ports that are free for TCP may be taken for UDP; so many are tried.
const PORTS_TRIED: usize = 20;

/// Serves the zones on `127.0.0.1`; on return it answers. Must be called inside a tokio runtime that outlives it.
pub async fn start(zones: &[ZoneData], key: &Key) -> Result<Running, LabError> {
    let signer = signer(key)?;
    let mut catalog = Catalog::new();
    for zone in zones {
        let (name, records) = records(zone)?;
        let handler = Zone::new(&name, records, signer.clone()).map_err(|what| LabError { what })?;
        catalog.upsert(LowerName::from(&name), vec![Arc::new(handler)]);
    }
    let (tcp, udp, addr) = sockets().await.map_err(|why| LabError { what: format!("{why}; allow it to listen on 127.0.0.1") })?;
    let mut server = Server::new(Front(catalog));
    server.register_listener(tcp, IDLE, ANSWERS_WAITING);
    server.register_socket(udp);
    Ok(Running { addr, server })
}

async fn sockets() -> std::io::Result<(TcpListener, UdpSocket, SocketAddr)> {
    let mut last = None;
    for _ in 0..PORTS_TRIED {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let addr = tcp.local_addr()?;
        match UdpSocket::bind(addr).await {
            Ok(udp) => return Ok((tcp, udp, addr)),
            Err(why) => last = Some(why),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

fn signer(key: &Key) -> Result<TSigner, LabError> {
    let fault = |what: &str| LabError { what: what.to_owned() };
    let name = Name::from_ascii(&key.name).map_err(|_| fault("the key's name is no domain name"))?;
    let secret = STANDARD.decode(key.secret.expose()).map_err(|_| fault("the key's secret is not base64"))?;
    // 300 seconds between two clocks are what RFC 8945 §10 recommends.
    TSigner::new(secret, TsigAlgorithm::HmacSha256, name, 300).map_err(|_| fault("the key cannot be used by this build"))
}

/// The records of a zone through the kind, so that the lab holds only what a plan may ask for, and its SOA.
fn records(zone: &ZoneData) -> Result<(Name, Vec<Record>), LabError> {
    let fault = |what: String| LabError { what: format!("zone {}: {what}", zone.name) };
    let name = DnsName::parse(&zone.name).map_err(|refusal| fault(refusal.to_string()))?;
    let apex = wire::to_name(&name);
    let mut rrsets = zone.rrsets.clone();
    if !rrsets.iter().any(|(owner, rtype, ..)| owner == "@" && rtype == "NS") {
        rrsets.push(("@".into(), "NS".into(), 3600, vec![format!("ns.{name}")]));
    }
    let under = |label: &str| Name::from_ascii(label).and_then(|label| label.append_domain(&apex)).map_err(|why| fault(why.to_string()));
    let soa = SOA::new(under("ns")?, under("hostmaster")?, 1, 3600, 600, 86_400, 60);
    let soa = Record::from_rdata(apex.clone(), 3600, RData::SOA(soa));
    let mut out = vec![soa];
    for (owner, rtype, ttl, values) in rrsets {
        let owner = if owner == "@" { Ok(name.clone()) } else { DnsName::parse_under(&owner, &name) };
        let value = Value::map([("ttl", Value::Int(i64::from(ttl))), ("values", Value::List(values.into_iter().map(Value::str).collect()))]);
        let rrset = owner.and_then(|owner| {
            let id = rrset_id("lab", &name, &owner, RType::parse(&rtype)?)?;
            wire::to_rrset(&id, &DNS.canon(&id, value)?)
        });
        out.extend(rrset.map_err(|refusal| fault(refusal.to_string()))?.records());
    }
    Ok((apex, out))
}

/// The catalog, and the answer it should give to updates of zones it does not have (RFC 2136 §3.1.2).
struct Front(Catalog);

#[async_trait::async_trait]
impl RequestHandler for Front {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let zone = request.queries.queries().first().map(|query| query.name());
        let unknown = request.metadata.op_code == OpCode::Update && zone.is_none_or(|zone| !self.0.contains(zone));
        if !unknown {
            return self.0.handle_request::<R, T>(request, response).await;
        }
        let mut metadata = Metadata::new(request.metadata.id, MessageType::Response, OpCode::Update);
        metadata.response_code = ResponseCode::NotAuth;
        let message = MessageResponseBuilder::new(&request.queries, None).build_no_records(metadata);
        match response.send_response(message).await {
            Ok(sent) => sent,
            // The client has gone; what the library records about the answer is all there is to say.
            Err(_) => self.0.handle_request::<R, T>(request, response).await,
        }
    }
}
