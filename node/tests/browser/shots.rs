//! Pictures of the page, for people to look at. Taken only where a folder is given for them.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::devtools::Page;

/// The width of a screen on a desk.
pub(crate) const DESKTOP: u32 = 1280;

/// The width of a phone.
pub(crate) const PHONE: u32 = 390;

/// One picture.
#[derive(Debug)]
pub(crate) struct Shot {
    name: &'static str,
    width: u32,
    scheme: &'static str,
}

impl Shot {
    /// A picture of the light page.
    pub(crate) fn light(name: &'static str, width: u32) -> Self {
        let scheme = "light";
        Self {
            name,
            width,
            scheme,
        }
    }

    /// A picture of the dark page.
    pub(crate) fn dark(name: &'static str, width: u32) -> Self {
        let scheme = "dark";
        Self {
            name,
            width,
            scheme,
        }
    }
}

impl Page {
    /// Takes a picture of the whole page.
    pub(crate) fn shot(&mut self, shot: &Shot) {
        let Some(folder) = std::env::var_os("DISCOVERY_SHOTS") else {
            return;
        };
        let scheme = json!({"name": "prefers-color-scheme", "value": shot.scheme});
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({"features": [scheme, still]}),
        );
        self.resize(shot.width, 900);
        self.until(&format!("innerWidth === {}", shot.width));
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.call("Page.captureScreenshot", &whole);
        let bytes = BASE64_STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap();
        // A folder is of the workspace, as in the command that the documents name.
        let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let path = workspace.join(folder).join(format!("{}.png", shot.name));
        std::fs::write(path, bytes).unwrap();
        self.call("Emulation.setEmulatedMedia", &json!({"features": []}));
        self.resize(DESKTOP, 900);
    }
}
