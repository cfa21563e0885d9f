//! The page in a real browser: what people see of a node, followed while members come and go.
//!
//! Needs Chromium. Where there is none the tests say so in one line and pass, except in CI, where
//! they fail. With `DISCOVERY_SHOTS=DIR` they leave pictures of the page there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what a test stands on fails like a test, and a browser that is missing is told"
)]

mod chromium;
mod devtools;
mod outcast;
mod shots;
mod stuck;

use discovery_node::demo::Stage;

use chromium::Chromium;
use outcast::Outcast;
use shots::{DESKTOP, PHONE, Shot};
use stuck::Stuck;

/// How many members the ring shows.
const RING: &str = "document.querySelectorAll('#ring .member[data-id]').length";

/// What the page says of where its node stands.
const BADGE: &str = "document.getElementById('badge').textContent";

/// Arrows of those who observe the chosen member.
const OBSERVING: &str = "document.querySelectorAll('#edges .watch').length";

/// Those who observe the chosen member, as its own words list them.
const OBSERVERS: &str = "document.querySelectorAll('#chosen .observers li').length";

/// The row of this name in the table of members and seeds.
fn row(name: &str) -> String {
    format!(
        "([...document.querySelectorAll('#rows tr')].find((row) => \
         row.firstElementChild.textContent === '{name}')?.innerText ?? '')"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_follows_members_that_come_and_go() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let mut stage = Stage::start(0).await.unwrap();
    let mut page = chromium.open(&stage.places()[&1].page());

    // Five members, one of them the coordinator, and this one is marked.
    page.until(&format!(
        "{RING} === 5 && {BADGE} === 'member, with quorum'"
    ));
    page.until("document.querySelectorAll('#rows tr').length === 5");
    page.until("document.getElementById('ring').textContent.includes('★ coordinator')");
    page.until("document.getElementById('chosen').innerText.includes('ring-1')");

    // One is killed: it leaves the ring, stays in the finder's list, and the page says why.
    stage.kill(&[5]).await.unwrap();
    page.until(&format!("{RING} === 4"));
    page.until("document.querySelectorAll('#ring .gone').length === 1");
    let why = row("ring-5");
    page.until(&format!(
        "{why}.includes('gone since version') && {why}.includes('connection refused')"
    ));
    page.until("document.getElementById('timeline').innerText.includes('ring-5 removed')");
    page.until(&format!("{why}.includes('nothing listens there')"));
    page.choose("ring-3");
    page.open_the_evidence();
    page.shot(&Shot::light("page-light", DESKTOP));
    page.shot(&Shot::light("page-phone", PHONE));

    // It comes back as another node of its name.
    stage.restart(5).await.unwrap();
    page.until(&format!("{RING} === 5"));
    page.until("document.querySelectorAll('#ring .gone').length === 0");
    assert_eq!(page.trouble(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_first_that_there_is_no_quorum_and_whom_it_accuses() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let mut stage = Stage::start(0).await.unwrap();
    let mut page = chromium.open(&stage.places()[&4].page());
    page.until(&format!("{RING} === 5"));

    stage.cut(&[4, 5], true);
    page.until(&format!("{BADGE} === 'without quorum'"));
    page.until("!document.getElementById('why').hidden");
    page.until("document.querySelectorAll('#edges .accusation').length >= 3");
    page.until("document.querySelectorAll('#suspicions li').length === 3");
    page.choose("ring-2");
    page.shot(&Shot::dark("page-dark", DESKTOP));
    page.shot(&Shot::dark("page-phone-dark", PHONE));

    stage.heal();
    page.until(&format!(
        "{BADGE} === 'member, with quorum' && {RING} === 5"
    ));
    page.until("document.getElementById('suspicions').innerText === 'Nobody is accused.'");
    assert_eq!(page.trouble(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_used_by_keys_and_fits_a_phone() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let stage = Stage::start(0).await.unwrap();
    let mut page = chromium.open(&stage.places()[&2].page());
    page.until(&format!("{RING} === 5"));

    // Whoever observes the chosen member has an arrow to it, as many as its words list.
    for name in ["ring-4", "ring-1"] {
        page.choose(name);
        page.until(&format!(
            "document.querySelector('#chosen h3').textContent.includes('{name}')"
        ));
        page.until(&format!("{OBSERVERS} >= 2 && {OBSERVING} === {OBSERVERS}"));
    }

    // Every member is a button with a name, and one key leads from one to the next.
    page.choose("ring-2");
    let before = page.text("document.querySelector('#chosen h3').textContent");
    page.key("ArrowRight");
    page.until(&format!(
        "document.querySelector('#chosen h3').textContent !== '{before}'"
    ));
    page.until(
        "document.activeElement.getAttribute('aria-pressed') === 'true' && \
         document.activeElement.getAttribute('aria-label').includes(', order ')",
    );
    for width in [320, 390, 768, 1280] {
        page.resize(width, 800);
        page.until(&format!("innerWidth === {width}"));
        page.until("document.documentElement.scrollWidth <= innerWidth");
    }
    assert_eq!(page.trouble(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_node_is_stuck_says_that_it_hears_nothing() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let mut stage = Stage::start(0).await.unwrap();
    let mut page = chromium.open(&stage.places()[&3].page());
    page.until(&format!("{RING} === 5"));
    stage.pause(3).unwrap();
    page.until("!document.getElementById('silence').hidden");
    stage.resume(3).unwrap();
    page.until("document.getElementById('silence').hidden");
    page.until(&format!(
        "{RING} === 5 && {BADGE} === 'member, with quorum'"
    ));
    assert_eq!(page.trouble(), Vec::<String>::new());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_protocol_is_stuck_says_so_though_its_node_is_alive() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let stuck = Stuck::start().await;
    let mut page = chromium.open(stuck.page());
    page.until(&format!(
        "{RING} === 1 && {BADGE} === 'member, with quorum'"
    ));
    let says = "(document.getElementById('silence').hidden ? '' : \
                document.getElementById('silence').textContent)";

    let hold = stuck.hang().await;
    page.until(&format!("{BADGE} === 'does not answer'"));
    page.until(&format!(
        "{says}.includes('The protocol of this node has not answered for')"
    ));

    drop(hold);
    page.until(&format!("{BADGE} === 'member, with quorum'"));
    page.until(&format!("{says} === ''"));
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_a_removed_node_says_so_before_anything_else() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let outcast = Outcast::start().await;
    let mut page = chromium.open(&outcast.page());
    page.until(&format!(
        "{RING} === 3 && {BADGE} === 'member, with quorum'"
    ));

    outcast.remove().await;

    page.until(&format!("{BADGE} === 'removed, joins again'"));
    page.until("document.getElementById('badge').classList.contains('bad')");
    page.until(
        "!document.getElementById('why').hidden && document.getElementById('why')\
         .textContent.includes('The others removed this node')",
    );
    assert_eq!(page.trouble(), Vec::<String>::new());
}
