//! A browser of the machine, started without a window and ended with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::devtools::Page;

/// Where Debian and others put it.
const PLACES: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// A browser that can be started.
#[derive(Debug)]
pub(crate) struct Chromium(PathBuf);

/// A browser that runs; it ends with this.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its profile, gone when it is.
    _profile: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Chromium {
    /// The browser of this machine, if it has one; in CI it must.
    pub(crate) fn find() -> Option<Self> {
        let found = PLACES.iter().map(Path::new).find(|place| place.exists());
        if found.is_none() {
            let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
            let missing = "no chromium on this machine, so the page was not looked at: apt-get \
                           install chromium";
            assert!(!is_ci, "{missing}");
            eprintln!("{missing}");
        }
        found.map(|place| Self(place.to_owned()))
    }

    /// Opens a page in a browser of its own.
    pub(crate) fn open(&self, address: &str) -> Page {
        let profile = tempfile::Builder::new()
            .prefix("discovery-browser-")
            .tempdir()
            .unwrap();
        let mut child = Command::new(&self.0)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-default-apps",
                "--disable-extensions",
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let process = Process {
            child,
            _profile: profile,
        };
        let wire = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, wire) = line.split_once("DevTools listening on ")?;
            Some(wire.to_owned())
        });
        // Read on, so that it never waits for room to write; ends with the browser.
        std::thread::spawn(move || lines.for_each(drop));
        Page::open(
            process,
            &wire.expect("the browser says where it listens"),
            address,
        )
    }
}
