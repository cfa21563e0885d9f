//! Makes finders from a plan. What to make is decided in `config/`.

use std::sync::Arc;

use discovery_core::Finder;
use discovery_core::finders::{
    CombinedFinder, CombinedFinderError, FileFinder, FileFinderError, StaticFinder,
    StaticFinderError,
};
use discovery_k8s::{ConfigError, DnsFinder, KubeFinder};

use crate::config::{FinderPlan, Part};

/// Why no finder can be made from a plan; the same plan fails again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The Kubernetes finder refuses its configuration.
    #[error("kubernetes: {0}")]
    Kubernetes(#[source] ConfigError),
    /// The DNS finder refuses its configuration, or there are no name servers to ask.
    #[error("dns: {0}")]
    Dns(#[source] ConfigError),
    /// The static finder refuses its configuration.
    #[error("static: {0}")]
    Static(#[from] StaticFinderError),
    /// The file finder refuses its configuration.
    #[error("file: {0}")]
    File(#[from] FileFinderError),
    /// There are too many finders, or none.
    #[error("{0}")]
    Combined(#[from] CombinedFinderError),
}

/// One finder, by kind, so that more can be asked of it than of any finder.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ComposedPart {
    /// Asks the Kubernetes API.
    Kubernetes(Arc<KubeFinder>),
    /// Asks DNS.
    Dns(Arc<DnsFinder>),
    /// Has a list.
    Static(Arc<StaticFinder>),
    /// Has a file.
    File(Arc<FileFinder>),
}

impl ComposedPart {
    /// The part as any finder.
    pub fn finder(&self) -> Arc<dyn Finder> {
        match self {
            Self::Kubernetes(finder) => Arc::clone(finder) as Arc<dyn Finder>,
            Self::Dns(finder) => Arc::clone(finder) as Arc<dyn Finder>,
            Self::Static(finder) => Arc::clone(finder) as Arc<dyn Finder>,
            Self::File(finder) => Arc::clone(finder) as Arc<dyn Finder>,
        }
    }
}

/// The finder of a plan, and its parts.
#[derive(Clone, Debug)]
pub struct Composed {
    /// The finder to watch.
    pub finder: Arc<dyn Finder>,
    /// What it is made of, in the order of the plan.
    pub parts: Vec<ComposedPart>,
}

/// Makes the finder of a plan; it asks nobody before it is used.
///
/// # Errors
///
/// If a part refuses its configuration, which reading the configuration should have told before.
pub fn compose(plan: &FinderPlan) -> Result<Composed, ComposeError> {
    let parts = plan.parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let finders: Vec<Arc<dyn Finder>> = parts.iter().map(ComposedPart::finder).collect();
    let finder = match finders.as_slice() {
        [one] => Arc::clone(one),
        _ => Arc::new(CombinedFinder::new(plan.combine, finders)?),
    };
    Ok(Composed { finder, parts })
}

fn part(part: &Part) -> Result<ComposedPart, ComposeError> {
    Ok(match part {
        Part::Kubernetes { config, access, .. } => {
            let finder = KubeFinder::new((**config).clone(), access.clone());
            ComposedPart::Kubernetes(Arc::new(finder.map_err(ComposeError::Kubernetes)?))
        }
        Part::Dns(config) => {
            let finder = DnsFinder::new(config.clone());
            ComposedPart::Dns(Arc::new(finder.map_err(ComposeError::Dns)?))
        }
        Part::Static(config) => ComposedPart::Static(Arc::new(StaticFinder::new(config)?)),
        Part::File(config) => ComposedPart::File(Arc::new(FileFinder::new(config.clone())?)),
    })
}
