//! What may be said of credentials that cannot be used. Libraries quote the lines, arguments and
//! outputs they stumble over, and these hold tokens: nothing of theirs is passed on here but
//! positions, paths, exit statuses and the system's own errors. Pure.

use kube::client::{AuthError, RustlsTlsError};
use kube::config::{KubeconfigError, LoadDataError};

use crate::error::chain_words;

/// A URL without user, password and query, as it may be shown.
pub(crate) fn url_words(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let shown = rest.rsplit('@').next().unwrap_or_default();
    match scheme {
        "" => shown.to_owned(),
        scheme => format!("{scheme}://{shown}"),
    }
}

/// Why no client can be made of a configuration; `plugin` is its credential plugin's file name.
pub(crate) fn client_words(error: &kube::Error, plugin: Option<&str>) -> String {
    match error {
        kube::Error::Auth(error) => auth_words(error, plugin),
        kube::Error::InferKubeconfig(error) => kubeconfig_words(error),
        kube::Error::RustlsTls(error) => tls_words(error),
        kube::Error::ProxyProtocolDisabled {
            proxy_url,
            protocol_feature,
        } => format!(
            "the proxy '{}' (proxy-url of the cluster, else HTTPS_PROXY) is not supported by this \
             build; remove it, or build with the feature {protocol_feature}",
            url_words(&proxy_url.to_string())
        ),
        kube::Error::ProxyProtocolUnsupported { proxy_url } => format!(
            "the proxy '{}' (proxy-url of the cluster, else HTTPS_PROXY) is of no known kind; \
             remove it, or give http://, https:// or socks5://",
            url_words(&proxy_url.to_string())
        ),
        kube::Error::HttpError(_) => {
            "a name in as, as-uid, as-groups or as-user-extra cannot be sent in a header".to_owned()
        }
        // kube's own enum grows; what its newer errors quote is not known.
        _ => "no client can be made of the credentials".to_owned(),
    }
}

/// Why a user's credentials cannot be used.
pub(crate) fn auth_words(error: &AuthError, plugin: Option<&str>) -> String {
    let plugin = plugin.map_or_else(
        || "the credential plugin".to_owned(),
        |name| format!("the credential plugin '{name}'"),
    );
    match error {
        AuthError::AuthExecStart(error) => format!("{plugin} cannot be started: {error}"),
        AuthError::AuthExecRun { out, .. } => {
            format!("{plugin} failed: {}; run it by hand to see why", out.status)
        }
        AuthError::AuthExecParse(error) => {
            let position = position(error.location().map(|at| (at.line(), at.column())));
            format!("{plugin} printed no ExecCredential{position}")
        }
        AuthError::ParseTokenKey(error) => {
            let at = u64::try_from(error.line()).ok();
            let at = at.zip(u64::try_from(error.column()).ok());
            format!("{plugin} printed no JSON{}", position(at))
        }
        AuthError::ExecPluginFailed => {
            format!("{plugin} printed an ExecCredential without status")
        }
        AuthError::MalformedTokenExpirationDate(_) => {
            format!("{plugin} names an expiry that is no RFC 3339 time")
        }
        AuthError::MissingCommand => "the user's exec names no command".to_owned(),
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "the token or password holds a character that cannot be sent; write it alone".to_owned()
        }
        AuthError::ReadTokenFile(error, path) => {
            format!("token file {} cannot be read: {error}", path.display())
        }
        AuthError::UnrefreshableTokenResponse => {
            format!("{plugin} printed no token that can be renewed")
        }
        // kube's own enum grows; what its other errors quote is not known.
        _ => "the user's auth-provider or exec cannot be used; give a token, a client certificate \
              or an exec plugin that prints an ExecCredential"
            .to_owned(),
    }
}

/// Why a kubeconfig cannot be used.
pub(crate) fn kubeconfig_words(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::CurrentContextNotSet => {
            "no context is chosen; set current-context, or configure one".to_owned()
        }
        KubeconfigError::LoadContext(name) => format!("it has no context '{name}'"),
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("it has no cluster '{name}', which its context names")
        }
        KubeconfigError::KindMismatch => "its files differ in kind".to_owned(),
        KubeconfigError::ApiVersionMismatch => "its files differ in apiVersion".to_owned(),
        KubeconfigError::ReadConfig(error, path) => {
            format!("{} cannot be read: {error}", path.display())
        }
        KubeconfigError::Parse(error) => {
            let position = position(error.location().map(|at| (at.line(), at.column())));
            format!(
                "it is no YAML, has a key twice or a value of the wrong type{position}; correct \
                 the file there"
            )
        }
        KubeconfigError::MissingClusterUrl => "the cluster has no server; give its url".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => {
            "the cluster's server is no url; give https://host:port".to_owned()
        }
        KubeconfigError::ParseProxyUrl(_) => {
            "proxy-url of the cluster, else HTTPS_PROXY, is no url; correct or remove it".to_owned()
        }
        KubeconfigError::LoadCertificateAuthority(error) => {
            data_words(error, "certificate-authority")
        }
        KubeconfigError::LoadClientCertificate(error) => data_words(error, "client-certificate"),
        KubeconfigError::LoadClientKey(error) => data_words(error, "client-key"),
        KubeconfigError::ParseCertificates(_) => {
            "certificate-authority holds a broken PEM block".to_owned()
        }
        KubeconfigError::FindPath => "there is no home directory; give its path".to_owned(),
    }
}

fn data_words(error: &LoadDataError, field: &str) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => format!("{field}-data is not base64"),
        LoadDataError::ReadFile(error, path) => {
            format!("{field} file {} cannot be read: {error}", path.display())
        }
        LoadDataError::NoBase64DataOrFile => {
            format!("{field} is missing; certificate and key belong together")
        }
    }
}

fn tls_words(error: &RustlsTlsError) -> String {
    match error {
        RustlsTlsError::InvalidIdentityPem(_) | RustlsTlsError::InvalidPrivateKey(_) => {
            "the client certificate or its key is broken, or they do not belong together".to_owned()
        }
        // The rest is about what is missing and about CAs, which everybody may read.
        error => chain_words(error),
    }
}

fn position(at: Option<(u64, u64)>) -> String {
    at.map_or_else(String::new, |(line, column)| {
        format!(" (line {line}, column {column})")
    })
}
