//! One zone: hickory's store of updatable records behind RFC 2136's exact prerequisites and signed answers.
//!
//! The store's own prerequisites hold when any one record of an RRset is there, and take what a wildcard answers for what
//! is there; a driver that writes only over what it has seen needs them exact, so they are judged here on the records themselves.

use hickory_proto::{
    op::ResponseCode,
    rr::{
        DNSClass, LowerName, Name, RData, Record, RecordSet, RecordType, RrKey, TSigResponseContext, TSigner,
        rdata::tsig::{TSIG, TsigError},
    },
};
use hickory_server::{
    dnssec::NxProofKind,
    net::runtime::TokioRuntimeProvider,
    server::{Request, RequestInfo},
    store::{in_memory::InMemoryZoneHandler, sqlite::SqliteZoneHandler},
    zone_handler::{AuthLookup, AxfrPolicy, LookupControlFlow, LookupError, LookupOptions, Nsec3QueryInfo, UpdateRequest, ZoneHandler, ZoneTransfer, ZoneType},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::RwLock;

/// A zone and the key that may do everything with it.
pub(super) struct Zone {
    store: SqliteZoneHandler<TokioRuntimeProvider>,
    signer: TSigner,
    /// Held while an update is judged and written, so that nobody sees half of one.
    whole: RwLock<()>,
}

/// What a request may do, and how its answer is signed.
type Judged = (Result<(), ResponseCode>, Option<TSigResponseContext>);

impl Zone {
    pub fn new(origin: &Name, records: Vec<Record>, signer: TSigner) -> Result<Self, String> {
        let mut sets: BTreeMap<RrKey, RecordSet> = BTreeMap::new();
        for record in records {
            let key = RrKey::new((&record.name).into(), record.record_type());
            sets.entry(key).or_insert_with(|| RecordSet::new(record.name.clone(), record.record_type(), 1)).insert(record, 1);
        }
        let memory = InMemoryZoneHandler::new(origin.clone(), sets, ZoneType::Primary, AxfrPolicy::AllowAll, None)?;
        // Transfers and updates are judged here, so the store behind allows them.
        let store = SqliteZoneHandler::new(memory, AxfrPolicy::AllowAll, true, false);
        Ok(Self { store, signer, whole: RwLock::new(()) })
    }

    /// Judges the signature (RFC 8945 §5.2). Without one, `unsigned` says whether the request may go on.
    fn judge(&self, request: &Request, unsigned: Result<(), ResponseCode>) -> Judged {
        let Some(tsig) = request.signature() else { return (unsigned, None) };
        let (id, now) = (request.metadata.id, now());
        if tsig.name != *self.signer.signer_name() {
            return (Err(ResponseCode::NotAuth), Some(TSigResponseContext::unknown_key(id, now, tsig.name.clone())));
        }
        let Ok((_, _, valid)) = self.signer.verify_message_byte(request.as_slice(), None, true) else {
            return (Err(ResponseCode::NotAuth), Some(TSigResponseContext::bad_signature(id, now, self.signer.clone())));
        };
        let late = (!valid.contains(&now)).then_some(TsigError::BadTime);
        let TSIG { mac, .. } = &tsig.data;
        let context = TSigResponseContext::new(id, now, self.signer.clone(), mac.clone(), late);
        (if late.is_some() { Err(ResponseCode::NotAuth) } else { Ok(()) }, Some(context))
    }

    fn is_apex(&self, request: &Request) -> bool {
        request.request_info().is_ok_and(|info| info.query.name() == self.store.origin())
    }

    /// RFC 2136 §3.2, on the records of the zone alone.
    async fn prerequisites(&self, wanted: &[Record]) -> Result<(), ResponseCode> {
        let records = self.store.records().await;
        let set = |name: &LowerName, kind: RecordType| records.get(&RrKey::new(name.clone(), kind)).filter(|set| !set.is_empty());
        let used = |name: &LowerName| records.iter().any(|(key, set)| key.name == *name && !set.is_empty());
        let mut exact: BTreeMap<(LowerName, RecordType), Vec<&RData>> = BTreeMap::new();
        for record in wanted {
            let (name, kind) = (LowerName::from(&record.name), record.record_type());
            if record.ttl != 0 {
                return Err(ResponseCode::FormErr);
            }
            if !self.store.origin().zone_of(&name) {
                return Err(ResponseCode::NotZone);
            }
            let empty = matches!(record.data, RData::Update0(_) | RData::NULL(_));
            match (record.dns_class, kind) {
                (DNSClass::ANY | DNSClass::NONE, _) if !empty => return Err(ResponseCode::FormErr),
                (DNSClass::ANY, RecordType::ANY) if !used(&name) => return Err(ResponseCode::NXDomain),
                (DNSClass::NONE, RecordType::ANY) if used(&name) => return Err(ResponseCode::YXDomain),
                (DNSClass::ANY | DNSClass::NONE, RecordType::ANY) => {}
                (DNSClass::ANY, kind) if set(&name, kind).is_none() => return Err(ResponseCode::NXRRSet),
                (DNSClass::NONE, kind) if set(&name, kind).is_some() => return Err(ResponseCode::YXRRSet),
                (DNSClass::ANY | DNSClass::NONE, _) => {}
                (DNSClass::IN, _) => exact.entry((name, kind)).or_default().push(&record.data),
                (DNSClass::CH | DNSClass::HS | DNSClass::OPT(_) | DNSClass::Unknown(_), _) => return Err(ResponseCode::FormErr),
            }
        }
        let text = |data: &RData| data.to_string();
        let equal = |((name, kind), data): (&(LowerName, RecordType), &Vec<&RData>)| {
            let wanted: BTreeSet<String> = data.iter().map(|data| text(data)).collect();
            let live: BTreeSet<String> = set(name, *kind).map(|set| set.records_without_rrsigs().map(|record| text(&record.data)).collect()).unwrap_or_default();
            wanted == live
        };
        if exact.iter().all(equal) { Ok(()) } else { Err(ResponseCode::NXRRSet) }
    }

    /// Drops the RRsets that an update emptied record by record; the store keeps their shells, which would answer as existing.
    async fn sweep(&self) {
        self.store.records_mut().await.retain(|_, set: &mut Arc<RecordSet>| !set.is_empty());
    }
}

#[async_trait::async_trait]
impl ZoneHandler for Zone {
    fn zone_type(&self) -> ZoneType {
        ZoneType::Primary
    }

    fn axfr_policy(&self) -> AxfrPolicy {
        AxfrPolicy::AllowSigned
    }

    async fn update(&self, request: &Request, _now: u64) -> (Result<bool, ResponseCode>, Option<TSigResponseContext>) {
        let (judged, context) = self.judge(request, Err(ResponseCode::Refused));
        if let Err(code) = judged {
            return (Err(code), context);
        }
        if !self.is_apex(request) {
            return (Err(ResponseCode::NotAuth), context);
        }
        let _whole = self.whole.write().await;
        let updates = request.updates();
        let ready = async {
            self.prerequisites(request.prerequisites()).await?;
            self.store.pre_scan(updates).await
        };
        let done = match ready.await {
            Ok(()) => self.store.update_records(updates, true).await,
            Err(code) => Err(code),
        };
        self.sweep().await;
        (done, context)
    }

    fn origin(&self) -> &LowerName {
        self.store.origin()
    }

    async fn lookup(&self, name: &LowerName, kind: RecordType, info: Option<&RequestInfo<'_>>, options: LookupOptions) -> LookupControlFlow<AuthLookup> {
        let _whole = self.whole.read().await;
        self.store.lookup(name, kind, info, options).await
    }

    async fn search(&self, request: &Request, options: LookupOptions) -> (LookupControlFlow<AuthLookup>, Option<TSigResponseContext>) {
        let (judged, context) = self.judge(request, Ok(()));
        if let Err(code) = judged {
            return (LookupControlFlow::Break(Err(LookupError::ResponseCode(code))), context);
        }
        let _whole = self.whole.read().await;
        let (found, _) = self.store.search(request, options).await;
        (found, context)
    }

    async fn nsec_records(&self, name: &LowerName, options: LookupOptions) -> LookupControlFlow<AuthLookup> {
        self.store.nsec_records(name, options).await
    }

    async fn nsec3_records(&self, info: Nsec3QueryInfo<'_>, options: LookupOptions) -> LookupControlFlow<AuthLookup> {
        self.store.nsec3_records(info, options).await
    }

    async fn zone_transfer(&self, request: &Request, options: LookupOptions, now: u64) -> Option<(Result<ZoneTransfer, LookupError>, Option<TSigResponseContext>)> {
        let (judged, context) = self.judge(request, Err(ResponseCode::Refused));
        if let Err(code) = judged {
            return Some((Err(LookupError::ResponseCode(code)), context));
        }
        if !self.is_apex(request) {
            return Some((Err(LookupError::ResponseCode(ResponseCode::NotAuth)), context));
        }
        let _whole = self.whole.read().await;
        let (transfer, _) = self.store.zone_transfer(request, options, now).await?;
        Some((transfer, context))
    }

    fn nx_proof_kind(&self) -> Option<&NxProofKind> {
        None
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
