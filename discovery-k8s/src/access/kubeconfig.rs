//! Reading a kubeconfig: which files, which context of them, and what its user refers to. Messages
//! name files and fields, never their content. These functions block.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{AuthInfo, ExecInteractiveMode, Kubeconfig};

use super::files::{check_token, read_small};
use super::words::kubeconfig_words;

/// Longest part of a plugin's name that is shown.
const PLUGIN_NAME_CHARS_MAX: usize = 64;

/// The configuration that a context of these files stands for.
pub(super) fn read(path: Option<&Path>, context: Option<String>) -> Result<Config, String> {
    let paths = match path {
        Some(path) => vec![path.to_owned()],
        None => default_paths()?,
    };
    let shown = paths.iter().map(|path| path.display().to_string());
    let shown = shown.collect::<Vec<_>>().join(" and ");
    let wrong = |words: String| format!("kubeconfig {shown} cannot be used: {words}");
    let mut merged = Kubeconfig::default();
    for path in &paths {
        merged = merged
            .merge(read_one(path)?)
            .map_err(|error| wrong(kubeconfig_words(&error)))?;
    }
    if context.is_some() {
        merged.current_context = context;
    }
    let mut config = Config::try_from(merged).map_err(|error| wrong(kubeconfig_words(&error)))?;
    check_referred(&config.auth_info).map_err(wrong)?;
    if let Some(exec) = &mut config.auth_info.exec {
        // A plugin that asks somebody would read our stdin and wait for ever.
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    Ok(config)
}

/// The files of `$KUBECONFIG`, else the one in the home directory.
fn default_paths() -> Result<Vec<PathBuf>, String> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !listed.is_empty() {
        return Ok(listed);
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or("there is no home directory; set KUBECONFIG or give the file's path")?;
    Ok(vec![home.join(".kube/config")])
}

fn read_one(path: &Path) -> Result<Kubeconfig, String> {
    read_small(path, "kubeconfig")?;
    Kubeconfig::read_from(path).map_err(|error| {
        format!(
            "kubeconfig {} cannot be used: {}",
            path.display(),
            kubeconfig_words(&error)
        )
    })
}

/// Checks the files that a user's entry refers to, as kube will read them without limit.
fn check_referred(user: &AuthInfo) -> Result<(), String> {
    if let Some(path) = user.token_file.as_deref().filter(|_| user.token.is_none()) {
        check_token(Path::new(path))?;
    }
    for (file, data, what) in [
        (
            &user.client_certificate,
            user.client_certificate_data.is_some(),
            "client-certificate",
        ),
        (
            &user.client_key,
            user.client_key_data.is_some(),
            "client-key",
        ),
    ] {
        if let Some(path) = file.as_deref().filter(|_| !data) {
            read_small(Path::new(path), what)?;
        }
    }
    Ok(())
}

/// The file name of the command that yields the credentials, if one does. Its directory and its
/// arguments are nobody's business.
pub(super) fn plugin_name(user: &AuthInfo) -> Option<String> {
    let exec = user.exec.as_ref().and_then(|exec| exec.command.as_ref());
    let provider = user.auth_provider.as_ref();
    let command = exec.or_else(|| provider.and_then(|it| it.config.get("cmd-path")))?;
    // Whoever wrote arguments into the command may have written a secret among them.
    let command = command.split_whitespace().next()?;
    let name = Path::new(command).file_name()?.to_string_lossy();
    Some(name.chars().take(PLUGIN_NAME_CHARS_MAX).collect())
}
