//! Nodes as processes that commands ask over their Unix sockets.

use serde_json::Value;

use crate::program::{Ended, Running, run};

/// A node that runs, and where it is asked.
pub(crate) struct Node {
    pub(crate) program: Running,
    pub(crate) folder: tempfile::TempDir,
}

impl Node {
    /// Starts one that founds alone, and waits until it is a member.
    pub(crate) async fn start() -> Self {
        Self::founder(&["--attribute=build=7"]).await
    }

    /// Starts one that founds alone, with more flags, and waits until it is a member.
    pub(crate) async fn founder(flags: &[&str]) -> Self {
        let node = Self::run("solo", &[&["--formation=single"], flags].concat());
        node.until_it_exits("status", 0).await;
        node
    }

    /// Starts another one that joins it, and waits until it is a member.
    pub(crate) async fn joined_by(&self, name: &str) -> Self {
        let told = self.ask(&["topology", "-o", "json"]).await;
        let told: Value = serde_json::from_str(&told.out).expect("one object");
        let ring = told["members"][0]["addresses"][0].as_str();
        let seed = format!("--seed={}", ring.expect("it says where its ring is"));
        let own = format!("--founding-name={name}");
        let founding = ["--formation=majority", "--founding-name=solo"];
        let node = Self::run(name, &[&founding[..], &[&own, &seed]].concat());
        node.until_it_exits("status", 0).await;
        node
    }

    /// Starts one that waits for others who never come.
    pub(crate) async fn waiting() -> Self {
        let names = [
            "--founding-name=a",
            "--founding-name=b",
            "--seed=127.0.0.1:1",
        ];
        let node = Self::run("a", &[&["--formation=majority"][..], &names].concat());
        node.until_it_exits("status", 5).await;
        node
    }

    fn run(name: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = socket(&folder);
        let named = format!("--node-name={name}");
        let common = [
            "run",
            &named,
            "--advertise=127.0.0.1",
            "--ring-listen=127.0.0.1:0",
            "--grpc-listen=127.0.0.1:0",
            "--http-listen=off",
            "--leave-limit=30s",
            "--stop-limit=60s",
            "--admin-listen",
            &socket,
        ];
        let program = Running::start(&[&common[..], flags].concat());
        Self { program, folder }
    }

    /// Asks this again and again until it exits with this code.
    pub(crate) async fn until_it_exits(&self, command: &str, code: i32) {
        let mut said = self.ask(&[command]).await;
        // Bounded: each try takes its time, and a node needs few.
        for _ in 0..600 {
            if said.code == code {
                break;
            }
            said = self.ask(&[command]).await;
        }
        assert_eq!(said.code, code, "{said:?}");
    }

    /// Runs a command that asks the node.
    pub(crate) async fn ask(&self, args: &[&str]) -> Ended {
        let socket = socket(&self.folder);
        let flag = match args[0] {
            "drain" | "remove" | "recover" | "admin" => "--admin",
            _ => "--node",
        };
        let mut all = args.to_vec();
        all.insert(1, flag);
        all.insert(2, &socket);
        run(&all).await
    }
}

pub(crate) fn socket(folder: &tempfile::TempDir) -> String {
    folder.path().join("node.sock").display().to_string()
}
