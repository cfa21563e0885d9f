//! Reflection as grpcurl uses it, in both versions: what is listed is described, with everything
//! that it speaks of.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto};
use tonic::transport::{Channel, Endpoint};

use crate::stage::Stage;

/// Asks one version of the service; the two have the same messages under two names.
macro_rules! asking {
    ($name:ident, $version:ident) => {
        mod $name {
            use tonic::transport::Channel;
            use tonic_reflection::pb::$version as pb;

            use crate::stage::next;

            async fn ask(
                channel: &Channel,
                asked: pb::server_reflection_request::MessageRequest,
            ) -> pb::server_reflection_response::MessageResponse {
                let request = pb::ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(asked),
                };
                let request = futures_util::stream::iter([request]);
                let mut client =
                    pb::server_reflection_client::ServerReflectionClient::new(channel.clone());
                let answers = client.server_reflection_info(request).await.unwrap();
                let answer = next(&mut answers.into_inner()).await;
                answer.message_response.unwrap()
            }

            /// The services that are listed.
            pub(super) async fn list(channel: &Channel) -> Vec<String> {
                use pb::server_reflection_request::MessageRequest::ListServices;
                use pb::server_reflection_response::MessageResponse::ListServicesResponse;
                match ask(channel, ListServices(String::new())).await {
                    ListServicesResponse(list) => {
                        list.service.into_iter().map(|one| one.name).collect()
                    }
                    other => panic!("{other:?}"),
                }
            }

            /// The files that hold a symbol, encoded.
            pub(super) async fn holding(channel: &Channel, symbol: &str) -> Vec<Vec<u8>> {
                use pb::server_reflection_request::MessageRequest::FileContainingSymbol;
                files(
                    ask(channel, FileContainingSymbol(symbol.to_owned())).await,
                    symbol,
                )
            }

            /// The file of this name, encoded.
            pub(super) async fn named(channel: &Channel, name: &str) -> Vec<Vec<u8>> {
                use pb::server_reflection_request::MessageRequest::FileByFilename;
                files(ask(channel, FileByFilename(name.to_owned())).await, name)
            }

            fn files(
                answer: pb::server_reflection_response::MessageResponse,
                asked: &str,
            ) -> Vec<Vec<u8>> {
                use pb::server_reflection_response::MessageResponse::FileDescriptorResponse;
                match answer {
                    FileDescriptorResponse(files) => files.file_descriptor_proto,
                    other => panic!("{asked}: {other:?}"),
                }
            }
        }
    };
}

asking!(stable, v1);
asking!(alpha, v1alpha);

/// Every symbol of a file: services and their methods, messages and enums however deep.
fn symbols(file: &FileDescriptorProto) -> BTreeSet<String> {
    let package = file.package();
    let mut all = BTreeSet::new();
    for service in &file.service {
        let name = format!("{package}.{}", service.name());
        let methods = service.method.iter();
        all.extend(methods.map(|method| format!("{name}.{}", method.name())));
        all.insert(name);
    }
    all.extend(
        file.enum_type
            .iter()
            .map(|one| format!("{package}.{}", one.name())),
    );
    for message in &file.message_type {
        inside(package, message, &mut all);
    }
    all
}

fn inside(scope: &str, message: &DescriptorProto, all: &mut BTreeSet<String>) {
    let name = format!("{scope}.{}", message.name());
    all.extend(
        message
            .enum_type
            .iter()
            .map(|one| format!("{name}.{}", one.name())),
    );
    for nested in &message.nested_type {
        inside(&name, nested, all);
    }
    all.insert(name);
}

/// What the methods and fields of a file speak of.
fn spoken_of(file: &FileDescriptorProto) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for method in file.service.iter().flat_map(|service| &service.method) {
        all.extend([
            method.input_type().to_owned(),
            method.output_type().to_owned(),
        ]);
    }
    let mut messages: Vec<&DescriptorProto> = file.message_type.iter().collect();
    while let Some(message) = messages.pop() {
        messages.extend(&message.nested_type);
        all.extend(
            message
                .field
                .iter()
                .map(|field| field.type_name().to_owned()),
        );
    }
    // Names of types begin with a dot; fields of plain types have none.
    all.iter()
        .filter_map(|name| name.strip_prefix('.'))
        .map(str::to_owned)
        .collect()
}

fn decoded(files: &[Vec<u8>]) -> Vec<FileDescriptorProto> {
    let decode = |file: &Vec<u8>| FileDescriptorProto::decode(&file[..]).unwrap();
    files.iter().map(decode).collect()
}

/// Asks for every symbol of every file that a listed service needs.
macro_rules! describe_all {
    ($version:ident, $channel:expr) => {{
        let channel: &Channel = $channel;
        let listed = $version::list(channel).await;
        let mut files: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
        let mut wanted = Vec::new();
        for service in &listed {
            let held = decoded(&$version::holding(channel, service).await);
            assert!(
                held.iter().any(|file| symbols(file).contains(service)),
                "{service}"
            );
            wanted.extend(held);
        }
        while let Some(file) = wanted.pop() {
            for needed in &file.dependency {
                if !files.contains_key(needed) {
                    wanted.extend(decoded(&$version::named(channel, needed).await));
                }
            }
            files.insert(file.name().to_owned(), file);
        }
        let all: BTreeSet<String> = files.values().flat_map(symbols).collect();
        for symbol in &all {
            let held = decoded(&$version::holding(channel, symbol).await);
            assert!(
                held.iter().any(|file| symbols(file).contains(symbol)),
                "{symbol}"
            );
        }
        for symbol in files.values().flat_map(spoken_of) {
            assert!(
                all.contains(&symbol),
                "{symbol} is spoken of, and described nowhere"
            );
        }
        (listed, all)
    }};
}

#[tokio::test]
async fn everything_that_is_served_is_described_in_both_versions_of_reflection() {
    let node = Stage::new().start("ring-0").await;
    let endpoint = Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
    let channel = endpoint.connect().await.unwrap();

    let (listed, symbols) = describe_all!(stable, &channel);
    let (alpha_listed, alpha_symbols) = describe_all!(alpha, &channel);

    for name in ["discovery.v1.Discovery", "grpc.health.v1.Health"] {
        assert!(listed.iter().any(|one| one == name), "{listed:?}");
        assert!(
            alpha_listed.iter().any(|one| one == name),
            "{alpha_listed:?}"
        );
    }
    assert!(
        !listed.iter().any(|name| name.ends_with(".Admin")),
        "{listed:?}"
    );
    let expected = [
        "discovery.v1.Discovery.WatchTopology",
        "discovery.v1.TopologyChange",
        "grpc.health.v1.HealthCheckResponse.ServingStatus",
        "google.protobuf.Timestamp",
    ];
    for name in expected {
        assert!(
            symbols.contains(name) && alpha_symbols.contains(name),
            "{name}"
        );
    }
}
