//! What gRPC clients expect beside the API itself: whether it is well, and what it offers.

use super::describe::DESCRIPTION;
use crate::Web;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use enter::sso::{Code, Refused};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use std::convert::Infallible;
use std::sync::LazyLock;
use tonic::Status;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::server::Builder;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

/// The services that can be asked about; the empty name is all of them.
const SERVICES: [&str; 5] = [
    "",
    "sso.v1.IdentityProvider",
    "sso.v1.ServiceProvider",
    "sso.v1.ServiceProviderAdmin",
    "sso.v1.IdentityProviderAdmin",
];

struct OwnHealth(Web);

impl OwnHealth {
    async fn status(&self, name: &str) -> ServingStatus {
        if !SERVICES.contains(&name) {
            return ServingStatus::ServiceUnknown;
        }
        match self.0.service().check_ready().await {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for OwnHealth {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        match self.status(&request.get_ref().service).await {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no service has this name")),
            status => Ok(tonic::Response::new(answer(status))),
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    /// How it is now, and once more when the process begins to stop.
    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, Status> {
        let now = self.status(&request.get_ref().service).await;
        let web = self.0.clone();
        let stop = stream::once(async move {
            web.service().stopping.begun().await;
            Ok(answer(ServingStatus::NotServing))
        });
        Ok(tonic::Response::new(stream::iter([Ok(answer(now))]).chain(stop).boxed()))
    }
}

/// `grpc.health.v1.Health`.
pub async fn health(State(web): State<Web>, request: Request) -> Response {
    let Ok(response) = HealthServer::new(OwnHealth(web)).oneshot(request).await;
    response.map(Body::new)
}

type Reflection = BoxCloneSyncService<Request, Response<tonic::body::Body>, Infallible>;

/// The descriptions are indexed once.
static REFLECTION: LazyLock<Option<(Reflection, Reflection)>> = LazyLock::new(|| {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTION)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (v1, v1alpha) = (builder().build_v1().ok()?, builder().build_v1alpha().ok()?);
    Some((BoxCloneSyncService::new(v1), BoxCloneSyncService::new(v1alpha)))
});

/// `grpc.reflection.v1.ServerReflection`.
pub async fn reflect_v1(request: Request) -> Response {
    reflect(REFLECTION.as_ref().map(|(v1, _)| v1.clone()), request).await
}

/// `grpc.reflection.v1alpha.ServerReflection`, which most tools ask first.
pub async fn reflect_v1alpha(request: Request) -> Response {
    reflect(REFLECTION.as_ref().map(|(_, v1alpha)| v1alpha.clone()), request).await
}

async fn reflect(service: Option<Reflection>, request: Request) -> Response {
    match service {
        Some(service) => {
            let Ok(response) = service.oneshot(request).await;
            response.map(Body::new).into_response()
        }
        None => super::grpc::refused(&Refused::new(Code::Unimplemented, "there is no reflection")),
    }
}
