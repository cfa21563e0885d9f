//! The cluster's own authority and the certificates it signs; made anew for each cluster.

use std::net::IpAddr;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use super::constants::{API_SERVICE_IP, NODE_IP, NODE_NAME};

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Who a client of the API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Name of its files.
    pub(crate) file: &'static str,
    pub(crate) common_name: String,
    pub(crate) organisation: Option<&'static str>,
}

/// The clients every cluster has: people and tests, the API server towards kubelet, and the parts.
pub(crate) fn clients() -> Vec<Client> {
    let part = |file, common_name: &str, organisation| Client {
        file,
        common_name: common_name.to_owned(),
        organisation,
    };
    vec![
        part("admin", "admin", Some("system:masters")),
        part("kubelet-client", "kube-apiserver", Some("system:masters")),
        part(
            "kube-controller-manager",
            "system:kube-controller-manager",
            None,
        ),
        part("kube-scheduler", "system:kube-scheduler", None),
        part("kube-proxy", "system:kube-proxy", None),
        part(
            "kubelet",
            &format!("system:node:{NODE_NAME}"),
            Some("system:nodes"),
        ),
    ]
}

/// Names under which the API server is reached: from the node, and from pods as they do anywhere.
pub(crate) fn api_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let mut name = String::from("kubernetes");
    names.push(name.clone());
    for label in ["default", "svc", "cluster", "local"] {
        name = format!("{name}.{label}");
        if label != "cluster" {
            names.push(name.clone());
        }
    }
    names.extend(["127.0.0.1", API_SERVICE_IP, NODE_IP].map(str::to_owned));
    names
}

/// Signs certificates that every part of one cluster trusts.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut params = named("discovery local cluster", None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("the authority cannot sign itself")?;
        Ok(Self { issuer })
    }

    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn sign_api_server(&self) -> anyhow::Result<Identity> {
        let mut params = named("kube-apiserver", None)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = api_names()
            .into_iter()
            .map(|name| {
                Ok(match name.parse::<IpAddr>() {
                    Ok(ip) => SanType::IpAddress(ip),
                    Err(_) => SanType::DnsName(name.try_into()?),
                })
            })
            .collect::<anyhow::Result<_>>()?;
        self.sign(params)
    }

    pub(crate) fn sign_client(&self, client: &Client) -> anyhow::Result<Identity> {
        let mut params = named(&client.common_name, client.organisation)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> anyhow::Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let name = format!("{:?}", params.distinguished_name);
        let key = KeyPair::generate()?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("the certificate of {name} cannot be signed"))?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// The pair of keys that signs and checks service account tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenKeys {
    pub(crate) private: String,
    pub(crate) public: String,
}

pub(crate) fn token_keys() -> anyhow::Result<TokenKeys> {
    let key = KeyPair::generate()?;
    Ok(TokenKeys {
        private: key.serialize_pem(),
        public: key.public_key_pem(),
    })
}

fn named(
    common_name: &str,
    organisation: Option<&'static str>,
) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    if let Some(organisation) = organisation {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_api_server_is_certified_for_every_way_to_it() {
        let names = api_names();

        assert_eq!(
            names,
            [
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "127.0.0.1",
                "10.96.0.1",
                "10.89.0.1",
            ]
        );
    }

    #[test]
    fn the_names_stand_in_the_signed_certificate() {
        let authority = Authority::new().unwrap();

        let signed = authority.sign_api_server().unwrap();

        let der = pem_body(&signed.certificate);
        assert!(holds(&der, b"kubernetes.default.svc.cluster.local"));
        assert!(holds(&der, &[10, 96, 0, 1]));
        assert!(holds(&der, &[10, 89, 0, 1]));
    }

    #[test]
    fn a_client_carries_its_name_and_group() {
        let authority = Authority::new().unwrap();
        let kubelet = clients()
            .into_iter()
            .find(|client| client.file == "kubelet")
            .unwrap();

        let signed = authority.sign_client(&kubelet).unwrap();

        let der = pem_body(&signed.certificate);
        assert!(holds(&der, b"system:node:node1"));
        assert!(holds(&der, b"system:nodes"));
        assert!(signed.key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }

    fn pem_body(pem: &str) -> Vec<u8> {
        let text: String = pem
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        STANDARD.decode(text).unwrap()
    }

    fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
        bytes.windows(wanted.len()).any(|window| window == wanted)
    }
}
