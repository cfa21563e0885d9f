//! The Python client of `docs/examples`, made from the contract and run as `docs/clients.md` says,
//! where the machine has what it needs. It is the one test that is skipped in CI too, which
//! installs no Python packages.

use std::process::Output;

use discovery_node::app::End;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::program::{Program, root, skipped};
use crate::stage::{LIMIT, Running, Stage, is_member_of};

/// A Python with grpcio and the modules of the contract.
struct Python {
    program: String,
    modules: TempDir,
}

async fn output(command: &mut Command) -> Option<Output> {
    let ended = timeout(LIMIT, command.kill_on_drop(true).output()).await;
    ended.expect("it ends in time").ok()
}

impl Python {
    /// That of this machine, `PYTHON` if that is set; none, said in one line, without grpcio.
    async fn find() -> Option<Self> {
        let program = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let asked = ["-c", "import grpc, grpc_tools.protoc"];
        let answer = output(Command::new(&program).args(asked)).await;
        if !answer.is_some_and(|answer| answer.status.success()) {
            skipped(&format!(
                "the Python client, since {program} lacks its packages: {program} -m pip install \
                 grpcio grpcio-tools, or set PYTHON to one that has them"
            ));
            return None;
        }
        let modules = tempfile::tempdir().unwrap();
        let into = modules.path().display();
        let mut protoc = Command::new(&program);
        protoc
            .current_dir(root())
            .args(["-m", "grpc_tools.protoc", "-I", "discovery-proto/proto"])
            .args([
                format!("--python_out={into}"),
                format!("--grpc_python_out={into}"),
            ])
            .args([
                "discovery/v1/topology.proto",
                "discovery/v1/discovery.proto",
            ]);
        let made = output(&mut protoc).await.unwrap();
        assert!(made.status.success(), "{made:?}");
        Some(Self { program, modules })
    }

    fn follow(&self, node: &Running) -> Program {
        let mut client = Command::new(&self.program);
        client
            .current_dir(root())
            .arg("docs/examples/follow.py")
            .arg(node.grpc.to_string())
            .env("PYTHONPATH", self.modules.path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Program::start(&mut client)
    }
}

#[tokio::test]
async fn the_python_client_keeps_its_table_while_the_node_it_follows_is_restarted() {
    let Some(python) = Python::find().await else {
        return;
    };
    let stage = Stage::new();
    let mut nodes = stage.cluster(2).await;
    // It was given one address, so it is this one that it follows.
    let mut follower = python.follow(&nodes[0]);
    let mut both = follower.members_at(2, 2).await;
    // Either may have founded.
    both.sort();
    assert_eq!(both, ["ring-0", "ring-1"]);

    let leaver = nodes.remove(0);
    leaver.signal.notify_one();
    assert_eq!(leaver.ended().await, End::Left);
    stage.unlist("ring-0");
    nodes.push(stage.start("ring-2").await);
    for node in &nodes {
        node.stands(|standing| is_member_of(standing, 2)).await;
    }

    assert_eq!(follower.members_at(3, 1).await, ["ring-1"]);
    assert_eq!(follower.members_at(4, 2).await, ["ring-1", "ring-2"]);
}
