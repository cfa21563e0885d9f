//! The calls of `discovery.v1.Discovery`. Those that wait for a decision are limited where they are
//! served, all of them alike.

use std::net::IpAddr;
use std::time::Duration;

use discovery_core::Discovery as _;
use discovery_proto::discovery::v1;
use discovery_proto::discovery::v1::discovery_server::Discovery;
use tonic::transport::server::UdsConnectInfo;
use tonic::{Request, Response, Status};

use super::refusals::Refusal;
use super::streams::{AnswerStream, subscription, watch};
use super::{Api, leave_words, within};

#[tonic::async_trait]
impl Discovery for Api {
    async fn get_topology(
        &self,
        _: Request<v1::GetTopologyRequest>,
    ) -> Result<Response<v1::GetTopologyResponse>, Status> {
        let standing = self.discovery.standing();
        Ok(Response::new(v1::GetTopologyResponse {
            topology: standing.topology().map(Into::into),
            standing: Some((&standing).into()),
            node: Some((&self.discovery.local_node()).into()),
        }))
    }

    type WatchTopologyStream = AnswerStream<v1::WatchTopologyResponse>;

    async fn watch_topology(
        &self,
        request: Request<v1::WatchTopologyRequest>,
    ) -> Result<Response<Self::WatchTopologyStream>, Status> {
        watch(self, &request.into_inner()).map(Response::new)
    }

    async fn publish(
        &self,
        request: Request<v1::PublishRequest>,
    ) -> Result<Response<v1::PublishResponse>, Status> {
        let answer = self.publish_once(request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    type SubscribeStream = AnswerStream<v1::SubscribeResponse>;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        subscription(self, request.into_inner()).map(Response::new)
    }

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        within(self.limits.call, self.tell_status())
            .await
            .map(Response::new)
    }

    async fn leave(
        &self,
        request: Request<v1::LeaveRequest>,
    ) -> Result<Response<v1::LeaveResponse>, Status> {
        if !is_local(&request) {
            return Err(Refusal::NotLocal.into());
        }
        let (decided, detail) = leave_words(self.control.end(Duration::ZERO).await);
        Ok(Response::new(v1::LeaveResponse { decided, detail }))
    }
}

/// Whether a call comes from this host: by a loopback address, or over a Unix socket.
fn is_local<T>(request: &Request<T>) -> bool {
    let caller = request.remote_addr().map(|address| address.ip());
    caller.is_some_and(is_loopback) || request.extensions().get::<UdsConnectInfo>().is_some()
}

/// Whether an address is of this host alone, an IPv4 one that came in by IPv6 included.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_loopback_in_either_family() {
        for (text, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.88.0.7", false),
            ("::ffff:10.88.0.7", false),
        ] {
            assert_eq!(is_loopback(text.parse().unwrap()), expected, "{text}");
        }
    }
}
