//! Starts the server on a free port of loopback and stops it when its handle is dropped.

use super::{octodns, zone::Zone};
use crate::{
    core::model::{Kind as _, ResourceId, Value},
    kinds::dns::{DNS, DnsName, wire},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::{
    op::{MessageType, Metadata, OpCode, ResponseCode},
    rr::{
        LowerName, Name, RData, Record, RecordType, TSigner,
        rdata::{NS, SOA, tsig::TsigAlgorithm},
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

/// One zone to serve; its SOA is made here, and its name servers when none are given.
#[derive(Clone, Debug, Default)]
pub struct ZoneData {
    /// `example.com.`
    pub name: String,
    pub rrsets: Vec<(ResourceId, Value)>,
}

/// The TSIG key that may read, transfer and update every zone: HMAC-SHA256.
#[derive(Clone)]
pub struct Key {
    pub name: String,
    /// In base64. It guards zones that live as long as the process, on loopback.
    pub secret: String,
}

/// A key of 256 random bits.
pub fn fresh_key() -> Result<Key, LabError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|why| LabError { what: format!("no randomness: {why}") })?;
    Ok(Key { name: "lab".into(), secret: STANDARD.encode(secret) })
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

/// Serves zones given as pairs of name (`example.com.`) and octoDNS text; see `serve`.
pub async fn start(zones: &[(&str, &str)], key: &Key) -> Result<Running, LabError> {
    let zones = zones.iter().map(|(zone, text)| octodns::read(zone, text)).collect::<Result<Vec<_>, _>>()?;
    serve(&zones, key).await
}

/// Serves the zones on `127.0.0.1`; on return it answers. Must be called inside a tokio runtime that outlives it.
pub async fn serve(zones: &[ZoneData], key: &Key) -> Result<Running, LabError> {
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
    let secret = STANDARD.decode(&key.secret).map_err(|_| fault("the key's secret is not base64"))?;
    // 300 seconds between two clocks are what RFC 8945 §10 recommends.
    TSigner::new(secret, TsigAlgorithm::HmacSha256, name, 300).map_err(|_| fault("the key cannot be used by this build"))
}

/// The records of a zone through the kind, so that the lab holds only what a plan may ask for, and its SOA.
fn records(zone: &ZoneData) -> Result<(Name, Vec<Record>), LabError> {
    let fault = |what: String| LabError { what: format!("zone {}: {what}", zone.name) };
    let name = DnsName::parse(&zone.name).map_err(|refusal| fault(refusal.to_string()))?;
    let apex = wire::to_name(&name);
    let under = |label: &str| Name::from_ascii(label).and_then(|label| label.append_domain(&apex)).map_err(|why| fault(why.to_string()));
    let soa = SOA::new(under("ns")?, under("hostmaster")?, 1, 3600, 600, 86_400, 60);
    let soa = Record::from_rdata(apex.clone(), 3600, RData::SOA(soa));
    let mut out = vec![soa];
    for (id, value) in &zone.rrsets {
        let rrset = DNS.canon(id, value.clone()).and_then(|value| wire::to_rrset(id, &value));
        out.extend(rrset.map_err(|refusal| fault(refusal.to_string()))?.records());
    }
    if !out.iter().any(|record| record.name == apex && record.record_type() == RecordType::NS) {
        out.push(Record::from_rdata(apex.clone(), 3600, RData::NS(NS(under("ns")?))));
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
