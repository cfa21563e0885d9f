//! All members of the demo, and what can be done to them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use discovery_core::{Discovery, LeaveError, NodeName, PodUid};
use tokio::task::spawn_blocking;

use super::gates::{Gates, Number};
use super::list::DemoList;
use super::member::{Running, Settings, Sockets};
use crate::view::{Look, NodeView};

/// How many members the demo starts with.
pub const MEMBERS: Number = 5;

/// Most members there may be, so that each has a key.
pub const MEMBERS_MAX: Number = 9;

/// The zones that members are spread over.
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];

/// Why something could not be done to a member. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The system refused a socket or a thread. A retry may help.
    #[error("member {number} cannot be started: {source}")]
    Start {
        /// Which.
        number: Number,
        /// Its answer.
        source: io::Error,
    },
    /// There are as many members as there may be.
    #[error("there are {MEMBERS_MAX} members, the limit")]
    TooMany,
    /// There is no such member, or it does not run.
    #[error("member {number} does not run")]
    NotRunning {
        /// Which.
        number: Number,
    },
    /// The member could not leave.
    #[error("member {number} could not leave: {source}")]
    Leave {
        /// Which.
        number: Number,
        /// Why not.
        source: LeaveError,
    },
}

/// One place of the demo: a member that runs, or ran.
#[derive(Debug)]
pub struct Place {
    settings: Settings,
    running: Option<Running>,
}

impl Place {
    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.settings.name
    }

    /// Where its page is.
    pub fn page(&self) -> String {
        format!("http://{}/", self.settings.http)
    }

    /// Where its API is.
    pub fn api(&self) -> SocketAddr {
        self.settings.grpc
    }

    /// The member, if it runs or is paused.
    pub fn view(&self) -> Option<&NodeView> {
        self.running.as_ref().map(|running| &running.view)
    }

    /// What was seen of it last.
    pub fn look(&self) -> Option<Look> {
        self.view().map(NodeView::look)
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.running.as_ref().is_some_and(Running::is_paused)
    }
}

/// All members, and the ways between them.
#[derive(Debug)]
pub struct Stage {
    list: DemoList,
    gates: Gates,
    places: BTreeMap<Number, Place>,
    /// The first port of the pages; members count up from it. 0: any.
    first_port: u16,
}

impl Stage {
    /// Starts [`MEMBERS`] members; pages from this port upwards, or at any if it is 0.
    ///
    /// # Errors
    ///
    /// If the system refuses a socket or a thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the members that were started.
    pub async fn start(first_port: u16) -> Result<Self, StageError> {
        let mut stage = Self {
            list: DemoList::new(),
            gates: Gates::default(),
            places: BTreeMap::new(),
            first_port,
        };
        // All are listed before the first one runs, as pods are that start in parallel.
        let mut prepared = Vec::new();
        for number in 1..=MEMBERS {
            prepared.push(stage.prepare(number)?);
        }
        for (settings, sockets) in prepared {
            stage.launch(settings, sockets).await?;
        }
        Ok(stage)
    }

    /// The members by number.
    pub fn places(&self) -> &BTreeMap<Number, Place> {
        &self.places
    }

    /// The members that run and are not paused, by number.
    pub fn awake(&self) -> impl Iterator<Item = (Number, &NodeView)> {
        self.places.iter().filter_map(|(number, place)| {
            let view = place.view().filter(|_| !place.is_paused())?;
            Some((*number, view))
        })
    }

    /// The member that most of the others take for the coordinator.
    pub fn coordinator(&self) -> Option<Number> {
        let mut votes: BTreeMap<String, usize> = BTreeMap::new();
        for (_, view) in self.awake() {
            let sight = view.look().sight;
            if let Some(id) = sight.and_then(|sight| sight.coordinator.clone()) {
                *votes.entry(id).or_default() += 1;
            }
        }
        let (id, _) = votes.into_iter().max_by_key(|(_, votes)| *votes)?;
        self.awake().find_map(|(number, view)| {
            (view.discovery().local_node().id().to_string() == id).then_some(number)
        })
    }

    /// Starts one member more and says its number.
    ///
    /// # Errors
    ///
    /// If there are too many, or the system refuses a socket or a thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the member.
    pub async fn add(&mut self) -> Result<Number, StageError> {
        let number = (1..=MEMBERS_MAX).find(|number| !self.places.contains_key(number));
        let number = number.ok_or(StageError::TooMany)?;
        let (settings, sockets) = self.prepare(number)?;
        self.launch(settings, sockets).await?;
        Ok(number)
    }

    /// Starts a member that was killed or left again, at its old address.
    ///
    /// # Errors
    ///
    /// If there is none, it runs, or the system refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the member.
    pub async fn restart(&mut self, number: Number) -> Result<(), StageError> {
        let place = self.places.get(&number);
        let place = place.filter(|place| place.running.is_none());
        let settings = place
            .ok_or(StageError::NotRunning { number })?
            .settings
            .clone();
        let (settings, sockets) = self.bind(settings)?;
        self.launch(settings, sockets).await
    }

    /// Binds and lists a member that is new.
    fn prepare(&self, number: Number) -> Result<(Settings, Sockets), StageError> {
        let name = NodeName::new(format!("ring-{number}"));
        let uid = PodUid::new(format!("place-{number}"));
        let (Ok(name), Ok(uid)) = (name, uid) else {
            return Err(StageError::TooMany);
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut http = any;
        if self.first_port != 0 {
            http.set_port(self.first_port.saturating_add(number - 1));
        }
        self.bind(Settings {
            number,
            name,
            zone: ZONES[usize::from(number - 1) % ZONES.len()],
            uid,
            ring: any,
            http,
            grpc: any,
        })
    }

    /// Binds the sockets of a member and lists it there.
    fn bind(&self, mut settings: Settings) -> Result<(Settings, Sockets), StageError> {
        let number = settings.number;
        let mut bound = || {
            let ring = TcpListener::bind(settings.ring)?;
            let http = TcpListener::bind(settings.http)?;
            let grpc = TcpListener::bind(settings.grpc)?;
            settings.ring = ring.local_addr()?;
            settings.http = http.local_addr()?;
            settings.grpc = grpc.local_addr()?;
            Ok(Sockets { ring, http, grpc })
        };
        let sockets = bound().map_err(|source| StageError::Start { number, source })?;
        self.gates.place(number, settings.ring);
        let (name, uid) = (settings.name.clone(), settings.uid.clone());
        self.list.enter(name, uid, settings.ring, settings.zone);
        Ok((settings, sockets))
    }

    async fn launch(&mut self, settings: Settings, sockets: Sockets) -> Result<(), StageError> {
        let number = settings.number;
        let started = Running::start(&settings, sockets, &self.list, &self.gates).await;
        let running = started.map_err(|source| StageError::Start { number, source })?;
        let place = Place {
            settings,
            running: Some(running),
        };
        self.places.insert(number, place);
        Ok(())
    }

    /// Ends members as if their processes were killed: nobody is told, their sockets close.
    ///
    /// # Errors
    ///
    /// If one of them does not run; the others are ended all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not keep them alive.
    pub async fn kill(&mut self, numbers: &[Number]) -> Result<(), StageError> {
        let mut ended = Vec::new();
        let mut missing = None;
        for number in numbers {
            match self.take(*number) {
                Ok(running) => ended.push(running),
                Err(error) => missing = Some(error),
            }
        }
        // Dropping waits for their threads, which must not hold this one up.
        let ending = ended
            .into_iter()
            .map(|one| spawn_blocking(move || drop(one)));
        for ending in ending.collect::<Vec<_>>() {
            // A thread that panicked has said so itself.
            let _ = ending.await;
        }
        missing.map_or(Ok(()), Err)
    }

    /// Lets a member leave by its own word, and takes it off the list.
    ///
    /// # Errors
    ///
    /// If it does not run, or its leave was not decided; it is gone then all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether it was decided.
    pub async fn leave(&mut self, number: Number) -> Result<(), StageError> {
        let running = self.take(number)?;
        let left = running.view.discovery().leave().await;
        if let Some(place) = self.places.get(&number) {
            self.list.remove(place.name());
        }
        let _ = spawn_blocking(move || drop(running)).await;
        left.map_err(|source| StageError::Leave { number, source })
    }

    fn take(&mut self, number: Number) -> Result<Running, StageError> {
        let place = self.places.get_mut(&number);
        let running = place.and_then(|place| place.running.take());
        running.ok_or(StageError::NotRunning { number })
    }

    /// Stops a member where it is.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn pause(&mut self, number: Number) -> Result<(), StageError> {
        self.running(number)?.pause();
        Ok(())
    }

    /// Lets a member that is paused go on.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn resume(&mut self, number: Number) -> Result<(), StageError> {
        self.running(number)?.resume();
        Ok(())
    }

    fn running(&mut self, number: Number) -> Result<&mut Running, StageError> {
        let place = self.places.get_mut(&number);
        let running = place.and_then(|place| place.running.as_mut());
        running.ok_or(StageError::NotRunning { number })
    }

    /// Puts members on the other side of a cut, or back.
    pub fn cut(&mut self, numbers: &[Number], is_cut: bool) {
        for number in numbers {
            self.gates.put(*number, u8::from(is_cut));
        }
    }

    /// Whether a member is on the other side of a cut.
    pub fn is_cut(&self, number: Number) -> bool {
        self.gates.side(number) != 0
    }

    /// Lets everybody reach everybody.
    pub fn heal(&mut self) {
        self.gates.heal();
    }

    /// Ends all members.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not keep them alive.
    pub async fn end(mut self) {
        let numbers: Vec<Number> = self.places.keys().copied().collect();
        // Those that do not run have ended already.
        let _ = self.kill(&numbers).await;
    }
}
