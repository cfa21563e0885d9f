//! Causes told apart, remedies, and what is about credentials.

use super::*;

fn status(code: u16) -> kube::Error {
    let mut status = kube::core::Status::failure("the server's words", "Reason");
    status.code = code;
    kube::Error::Api(Box::new(status))
}

fn call() -> Call {
    let config = KubeFinderConfig::new("prod", "ring");
    Call::new(&config, Rule::WatchEndpointSlices, "endpointslices of ring")
}

#[test]
fn every_status_has_a_cause_of_its_own() {
    let expected = [
        (401, FinderCause::Unauthorised),
        (403, FinderCause::Forbidden),
        (404, FinderCause::NotFound),
        (410, FinderCause::Failed),
        (429, FinderCause::Throttled),
        (500, FinderCause::Failed),
        (503, FinderCause::Failed),
    ];
    for (code, cause) in expected {
        assert_eq!(call().failed(&status(code)).cause(), cause, "{code}");
    }
}

#[test]
fn a_missing_permission_is_named_with_the_rule_that_grants_it() {
    let config = KubeFinderConfig::new("prod", "ring");
    let error = call().failed(&status(403)).into_finder_error(&config);
    assert!(
        error
            .detail()
            .contains("may not watch endpointslices.discovery.k8s.io")
    );
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("resources: [\"endpointslices\"], verbs: [\"watch\"]"),
        "{remedy}"
    );
}

#[test]
fn only_a_get_of_the_service_that_is_not_found_asks_to_create_it() {
    let config = KubeFinderConfig::new("prod", "ring");
    for (rule, part, creates) in [
        (Rule::GetService, "Service ring in namespace prod", true),
        (Rule::ListEndpointSlices, "discovery.k8s.io/v1", false),
        (Rule::WatchEndpointSlices, "discovery.k8s.io/v1", false),
        (Rule::ListPods, "pods of v1", false),
    ] {
        let call = Call::new(&config, rule, "what was asked for");
        let remedy = call.failed(&status(404)).remedy(&config).unwrap();
        assert!(remedy.contains(part), "{rule}: {remedy}");
        assert_eq!(
            remedy.contains("create Service"),
            creates,
            "{rule}: {remedy}"
        );
    }
}

#[test]
fn credentials_that_cannot_be_read_need_a_new_client_but_no_second_try_at_once() {
    let unread = call().bad_credentials("no file");
    assert!(unread.needs_new_client() && !unread.is_about_credentials());
    let refused = call().failed(&status(401));
    assert!(refused.needs_new_client() && refused.is_about_credentials());
    let forbidden = call().failed(&status(403));
    assert!(!forbidden.needs_new_client() && !forbidden.is_about_credentials());
}

#[test]
fn a_version_that_is_gone_is_told_in_the_words_of_the_whole_call() {
    let error = call().gone("two versions").to_string();
    let expected = "watch endpointslices of ring in prod: the version asked from is gone";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_plugin_that_fails_while_a_token_is_renewed_is_named_by_its_exit_status_only() {
    use std::os::unix::process::ExitStatusExt as _;
    let out = std::process::Output {
        status: std::process::ExitStatus::from_raw(3 << 8),
        stdout: b"SECRET".to_vec(),
        stderr: b"SECRET".to_vec(),
    };
    let error = AuthError::AuthExecRun {
        cmd: "TOKEN=\"SECRET\" plugin --secret=SECRET".to_owned(),
        out: Box::new(out),
    };
    let error = call().failed(&kube::Error::Service(Box::new(error)));
    assert_eq!(error.cause(), FinderCause::Configuration);
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("exit status: 3") && !shown.contains("SECRET"),
        "{shown}"
    );
}

#[test]
fn an_error_inside_an_io_error_is_found() {
    let inner = GuardError::LineTooLong { limit: 7 };
    let error = kube::Error::ReadEvents(std::io::Error::other(inner));
    assert!(matches!(
        call().failed(&error),
        ApiError::TooLarge { limit: 7, .. }
    ));
}

#[test]
fn a_refused_certificate_is_told_from_a_refused_connection() {
    let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let tls = kube::Error::Service(Box::new(std::io::Error::other(tls)));
    assert_eq!(call().failed(&tls).cause(), FinderCause::Tls);
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let refused = kube::Error::Service(Box::new(refused));
    assert_eq!(call().failed(&refused).cause(), FinderCause::Unreachable);
}
