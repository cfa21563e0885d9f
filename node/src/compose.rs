//! Makes finders from a plan. What to make is decided in `config/`.

use std::sync::Arc;

use discovery_core::Finder;
use discovery_core::finders::{StaticFinder, StaticFinderError};
use discovery_k8s::{ConfigError, KubeFinder};

use crate::config::{FinderPlan, Part};

/// Why no finder can be made from a plan; the same plan fails again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The Kubernetes finder refuses its configuration.
    #[error("kubernetes: {0}")]
    Kubernetes(#[from] ConfigError),
    /// The static finder refuses its configuration.
    #[error("static: {0}")]
    Static(#[from] StaticFinderError),
}

/// The finder of a plan, and those of its parts that have more to tell.
#[derive(Debug)]
pub struct Composed {
    /// The finder to watch.
    pub finder: Arc<dyn Finder>,
    /// The Kubernetes finders in it.
    pub kubernetes: Vec<Arc<KubeFinder>>,
}

/// Makes the finder of a plan; it asks nobody before it is used.
///
/// # Errors
///
/// If a part refuses its configuration, which reading the configuration should have told before.
pub fn compose(plan: &FinderPlan) -> Result<Composed, ComposeError> {
    let mut kubernetes = Vec::new();
    let mut finders: Vec<Arc<dyn Finder>> = Vec::new();
    for part in &plan.parts {
        match part {
            Part::Kubernetes { config, access, .. } => {
                let finder = Arc::new(KubeFinder::new((**config).clone(), access.clone())?);
                kubernetes.push(Arc::clone(&finder));
                finders.push(finder);
            }
            Part::Static(config) => finders.push(Arc::new(StaticFinder::new(config)?)),
        }
    }
    let finder = finders.swap_remove(0);
    Ok(Composed { finder, kubernetes })
}
