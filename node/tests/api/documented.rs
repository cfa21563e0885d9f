//! The calls that the documents write for grpcurl, made as grpcurl makes them: from descriptors and
//! JSON, without generated types.

use discovery_proto::discovery::v1::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use tokio::time::timeout;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

use crate::stage::{LIMIT, Stage, next};

const PAGES: [&str; 2] = [
    include_str!("../../../README.md"),
    include_str!("../../../docs/node.md"),
];

/// Writes and reads messages by their descriptors.
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Writer;
    type Decoder = Reader;

    fn encoder(&mut self) -> Writer {
        Writer
    }

    fn decoder(&mut self) -> Reader {
        Reader(self.0.clone())
    }
}

struct Writer;

impl Encoder for Writer {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let written = item.encode(to);
        written.map_err(|error| Status::internal(error.to_string()))
    }
}

struct Reader(MessageDescriptor);

impl Decoder for Reader {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let read = DynamicMessage::decode(self.0.clone(), from);
        read.map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

/// The calls of a page: what is sent, and to which method.
fn calls(page: &str) -> Vec<(String, String)> {
    let lines = page
        .lines()
        .filter(|line| line.starts_with("grpcurl -plaintext "));
    lines
        .filter_map(|line| {
            let sent = line
                .split_once("-d '")
                .and_then(|(_, rest)| rest.split_once('\''));
            let sent = sent.map_or("{}", |(sent, _)| sent);
            let (_, method) = line.rsplit_once(' ')?;
            method
                .contains('/')
                .then(|| (sent.to_owned(), method.to_owned()))
        })
        .collect()
}

#[tokio::test]
async fn the_calls_in_the_documents_are_answered() {
    let mut pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    pool.decode_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .unwrap();
    let nodes = Stage::new().cluster(1).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", nodes[0].grpc)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let calls: Vec<_> = PAGES.iter().flat_map(|page| calls(page)).collect();
    assert!(calls.len() > 5, "{calls:?}");
    for (sent, name) in calls {
        let (service, method) = name.split_once('/').unwrap();
        let service = pool.get_service_by_name(service).expect(&name);
        let method = service
            .methods()
            .find(|found| found.name() == method)
            .expect(&name);
        let mut json = serde_json::Deserializer::from_str(&sent);
        let message = DynamicMessage::deserialize(method.input(), &mut json).expect(&sent);
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path: PathAndQuery = format!("/{name}").parse().unwrap();
        let codec = Dynamic(method.output());
        // One answer and many are the same on the wire.
        let request = tonic::Request::new(message);
        let answers = client.server_streaming(request, path, codec);
        let mut answers = timeout(LIMIT, answers)
            .await
            .unwrap()
            .expect(&name)
            .into_inner();
        next(&mut answers).await;
    }
}
