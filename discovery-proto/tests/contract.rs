//! The contracts only grow: what is summed up in `summary.txt` beside each of them must be there as
//! it is written, and what is there must be summed up.

use std::collections::BTreeSet;

use discovery_proto::discovery::v1::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

/// One contract, as it is now and as it was promised.
struct Contract {
    package: &'static str,
    descriptors: &'static [u8],
    summary: &'static str,
}

const API: Contract = Contract {
    package: "discovery.v1",
    descriptors: FILE_DESCRIPTOR_SET,
    summary: include_str!("../proto/discovery/v1/summary.txt"),
};

const RING: Contract = Contract {
    package: "ring.v1",
    descriptors: include_bytes!(concat!(env!("OUT_DIR"), "/ring.v1.bin")),
    summary: include_str!("../proto/ring/v1/summary.txt"),
};

impl Contract {
    fn files(&self) -> FileDescriptorSet {
        FileDescriptorSet::decode(self.descriptors).expect("the build encodes it")
    }

    fn promised(&self) -> BTreeSet<String> {
        self.summary.lines().map(ToOwned::to_owned).collect()
    }

    fn assert_holds(&self) {
        let (package, found) = (self.package, summary(self.package, &self.files()));
        let promised = self.promised();
        let broken: Vec<_> = promised.difference(&found).collect();
        assert!(
            broken.is_empty(),
            "a breaking change of {package}: these lines hold no more\n{broken:#?}"
        );
        let new: Vec<_> = found.difference(&promised).cloned().collect();
        assert!(
            new.is_empty(),
            "new in {package}; from now on it stays, so add it to summary.txt, sorted, once you \
             know that who has the old contract can live with it:\n{}",
            new.join("\n")
        );
    }
}

#[test]
fn nothing_of_the_api_is_taken_away_or_changed_and_all_of_it_is_summed_up() {
    API.assert_holds();
}

#[test]
fn nothing_that_nodes_say_is_taken_away_or_changed_and_all_of_it_is_summed_up() {
    RING.assert_holds();
}

#[test]
fn a_field_that_changes_its_number_its_type_or_its_name_breaks_the_contract() {
    let changes: [fn(&mut FieldDescriptorProto); 3] = [
        |field| field.number = Some(77),
        |field| field.set_type(Type::Fixed32),
        |field| field.name = Some("renamed".to_owned()),
    ];
    for contract in [API, RING] {
        for change in changes {
            let mut broken = contract.files();
            let mut ours = broken.file.iter_mut();
            let file = ours.find(|file| file.package() == contract.package);
            let mut messages = file.unwrap().message_type.iter_mut();
            let topology = messages.find(|message| message.name() == "Topology");
            change(&mut topology.unwrap().field[1]);
            let left = summary(contract.package, &broken);
            assert_eq!(contract.promised().difference(&left).count(), 1);
        }
    }
}

/// One line for each thing that a client, another node or stored bytes rely on.
fn summary(package: &str, files: &FileDescriptorSet) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let ours = files.file.iter().filter(|file| file.package() == package);
    for file in ours {
        for message in &file.message_type {
            of_message(package, message, &mut lines);
        }
        for values in &file.enum_type {
            of_enum(package, values, &mut lines);
        }
        for service in &file.service {
            of_service(package, service, &mut lines);
        }
    }
    lines
}

fn of_message(scope: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    let name = format!("{scope}.{}", message.name());
    lines.insert(format!("message {name}"));
    for field in &message.field {
        let kind = match field.r#type() {
            Type::Message | Type::Enum => field.type_name().to_owned(),
            plain => plain.as_str_name().to_owned(),
        };
        let many = match field.label() {
            Label::Repeated => "repeated ",
            Label::Optional | Label::Required => "",
        };
        let presence = if field.proto3_optional() {
            "optional "
        } else {
            ""
        };
        let choice = field
            .oneof_index
            .filter(|_| !field.proto3_optional())
            .and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?))
            .map_or(String::new(), |oneof| format!(" in oneof {}", oneof.name()));
        lines.insert(format!(
            "field {name}.{} = {}: {many}{presence}{kind}{choice}",
            field.name(),
            field.number()
        ));
    }
    for inner in &message.nested_type {
        of_message(&name, inner, lines);
    }
    for inner in &message.enum_type {
        of_enum(&name, inner, lines);
    }
}

fn of_enum(scope: &str, values: &EnumDescriptorProto, lines: &mut BTreeSet<String>) {
    for value in &values.value {
        lines.insert(format!(
            "value {scope}.{}.{} = {}",
            values.name(),
            value.name(),
            value.number()
        ));
    }
}

fn of_service(package: &str, service: &ServiceDescriptorProto, lines: &mut BTreeSet<String>) {
    for call in &service.method {
        let stream = |streams: bool| if streams { "stream " } else { "" };
        lines.insert(format!(
            "call {package}.{}.{}({}{}) returns ({}{})",
            service.name(),
            call.name(),
            stream(call.client_streaming()),
            call.input_type(),
            stream(call.server_streaming()),
            call.output_type()
        ));
    }
}
