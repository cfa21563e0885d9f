//! A name server for tests, on loopback over UDP and TCP: answers from a table that a test may
//! change while it runs, and misbehaves on demand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use hickory_resolver::proto::op::{Edns, Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// How the server treats questions for one name and type.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// Answers with these records, and with these beside them.
    Records {
        answers: Vec<Record>,
        additionals: Vec<Record>,
    },
    /// Answers with this response code and nothing else.
    Code(ResponseCode),
    /// Never answers.
    Silence,
    /// Sends the right answer under a wrong id, and no other.
    WrongId(Vec<Record>),
    /// Sends forged records under a wrong id first, then the right ones.
    ForgedFirst {
        forged: Vec<Record>,
        real: Vec<Record>,
    },
    /// Answers with a header that promises a record and ends.
    CutShort,
}

#[derive(Debug, Default)]
struct State {
    rules: BTreeMap<(String, RecordType), Rule>,
    udp: usize,
    tcp: usize,
    /// Questions so far by name.
    asked: BTreeMap<String, usize>,
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

/// How long a negative answer holds, in seconds.
const NEGATIVE_TTL: u32 = 0;

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

impl Server {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = same_port().await;
        let address = udp.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&state)));
        tasks.spawn(serve_tcp(tcp, Arc::clone(&state)));
        Self {
            address,
            state,
            _tasks: tasks,
        }
    }

    /// Sets the rule; a name with any rule exists, all others do not.
    pub(crate) fn set(&self, owner: &str, kind: RecordType, rule: Rule) {
        let key = (owner.to_owned(), kind);
        self.lock().rules.insert(key, rule);
    }

    pub(crate) fn records(&self, owner: &str, kind: RecordType, answers: Vec<Record>) {
        let additionals = Vec::new();
        let rule = Rule::Records {
            answers,
            additionals,
        };
        self.set(owner, kind, rule);
    }

    /// The name no longer exists.
    pub(crate) fn forget(&self, owner: &str) {
        self.lock().rules.retain(|(name, _), _| name != owner);
    }

    /// Questions so far, over UDP and over TCP.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let state = self.lock();
        (state.udp, state.tcp)
    }

    /// Questions for this name so far.
    pub(crate) fn asked_for(&self, owner: &str) -> usize {
        self.lock().asked.get(owner).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Two sockets with the same port, which the system chose.
async fn same_port() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

async fn serve_udp(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        state.lock().unwrap().udp += 1;
        let query = Message::from_vec(&buffer[..length]).unwrap();
        let limit = usize::from(query.edns.as_ref().map_or(512, Edns::max_payload));
        for reply in replies(&query, &state, limit) {
            socket.send_to(&reply, from).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut links = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        links.spawn(serve_stream(stream, Arc::clone(&state)));
    }
}

async fn serve_stream(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut buffer = vec![0; usize::from(length)];
        stream.read_exact(&mut buffer).await.unwrap();
        state.lock().unwrap().tcp += 1;
        let query = Message::from_vec(&buffer).unwrap();
        for reply in replies(&query, &state, usize::from(u16::MAX)) {
            let length = u16::try_from(reply.len()).unwrap();
            stream.write_u16(length).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    }
}

/// What is sent back: nothing, one message, or a forged one and a real one.
fn replies(query: &Message, state: &Mutex<State>, limit: usize) -> Vec<Vec<u8>> {
    let question = query.queries.first().unwrap();
    let owner = question.name().to_ascii();
    let mut state = state.lock().unwrap();
    *state.asked.entry(owner.clone()).or_default() += 1;
    let rules = &state.rules;
    let respond = |code, answers: &[Record], additionals: &[Record]| {
        let mut response = Message::response(query.id, query.op_code);
        response.metadata.response_code = code;
        response.add_query(question.clone());
        response.answers = answers.to_vec();
        response.additionals = additionals.to_vec();
        if answers.is_empty() && matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            response.authorities = vec![soa()];
        }
        fitted(&response, limit)
    };
    let wrong_id = |answers: &[Record]| {
        let mut reply = respond(ResponseCode::NoError, answers, &[]);
        reply[0] ^= 0xff;
        reply
    };
    match rules.get(&(owner.clone(), question.query_type())) {
        Some(Rule::Records {
            answers,
            additionals,
        }) => vec![respond(ResponseCode::NoError, answers, additionals)],
        Some(Rule::Code(code)) => vec![respond(*code, &[], &[])],
        Some(Rule::Silence) => Vec::new(),
        Some(Rule::WrongId(answers)) => vec![wrong_id(answers)],
        Some(Rule::ForgedFirst { forged, real }) => {
            vec![wrong_id(forged), respond(ResponseCode::NoError, real, &[])]
        }
        Some(Rule::CutShort) => {
            let mut reply = respond(ResponseCode::NoError, &[], &[]);
            reply[7] = 1;
            reply.truncate(12 + owner.len() + 5);
            vec![reply]
        }
        None if rules.keys().any(|(known, _)| *known == owner) => {
            vec![respond(ResponseCode::NoError, &[], &[])]
        }
        None => vec![respond(ResponseCode::NXDomain, &[], &[])],
    }
}

/// The message as bytes, or its truncated form if it does not fit.
fn fitted(response: &Message, limit: usize) -> Vec<u8> {
    match response.to_vec() {
        Ok(bytes) if bytes.len() <= limit => bytes,
        Ok(_) | Err(_) => response.truncate().to_vec().unwrap(),
    }
}

fn soa() -> Record {
    let (ns, admin) = (name("ns.dns.cluster.local."), name("admin.cluster.local."));
    let soa = SOA::new(ns, admin, 1, 7200, 1800, 86400, NEGATIVE_TTL);
    Record::from_rdata(name("cluster.local."), 30, RData::SOA(soa))
}
