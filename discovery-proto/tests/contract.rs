//! `discovery.v1` only grows: what is summed up in `proto/discovery/v1/summary.txt` must be there
//! as it is written, and what is there must be summed up.

use std::collections::BTreeSet;

use discovery_proto::discovery::v1::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

const SUMMARY: &str = include_str!("../proto/discovery/v1/summary.txt");

#[test]
fn nothing_of_v1_is_taken_away_or_changed_and_all_of_it_is_summed_up() {
    let found = summary(&FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap());
    let promised: BTreeSet<String> = SUMMARY.lines().map(ToOwned::to_owned).collect();
    let broken: Vec<_> = promised.difference(&found).collect();
    assert!(
        broken.is_empty(),
        "a breaking change of v1: these lines hold no more\n{broken:#?}"
    );
    let new: Vec<_> = found.difference(&promised).cloned().collect();
    assert!(
        new.is_empty(),
        "new in v1; from now on it stays, so add it to summary.txt, sorted:\n{}",
        new.join("\n")
    );
}

#[test]
fn a_field_that_changes_its_number_its_type_or_its_name_breaks_the_contract() {
    let whole = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let promised = summary(&whole);
    let changes: [fn(&mut FieldDescriptorProto); 3] = [
        |field| field.number = Some(77),
        |field| field.set_type(Type::Fixed32),
        |field| field.name = Some("renamed".to_owned()),
    ];
    for change in changes {
        let mut broken = whole.clone();
        let topology = broken
            .file
            .iter_mut()
            .find(|file| file.name() == "discovery/v1/topology.proto")
            .unwrap();
        change(&mut topology.message_type[0].field[0]);
        assert_eq!(promised.difference(&summary(&broken)).count(), 1);
    }
}

/// One line for each thing that a client or its stored bytes rely on.
fn summary(files: &FileDescriptorSet) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let ours = files
        .file
        .iter()
        .filter(|file| file.package() == "discovery.v1");
    for file in ours {
        for message in &file.message_type {
            of_message("discovery.v1", message, &mut lines);
        }
        for values in &file.enum_type {
            of_enum("discovery.v1", values, &mut lines);
        }
        for service in &file.service {
            of_service(service, &mut lines);
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

fn of_service(service: &ServiceDescriptorProto, lines: &mut BTreeSet<String>) {
    for call in &service.method {
        let stream = |streams: bool| if streams { "stream " } else { "" };
        lines.insert(format!(
            "call discovery.v1.{}.{}({}{}) returns ({}{})",
            service.name(),
            call.name(),
            stream(call.client_streaming()),
            call.input_type(),
            stream(call.server_streaming()),
            call.output_type()
        ));
    }
}
