"""An app that people enter: a relying party of OpenID Connect by Authlib, as its documentation has it for Starlette.

One argument: JSON {host, port, issuer, client_id, scope} and how it proves itself: {client_secret} by basic, with
{auth_method} also by post; {private_key, key_id, alg} by private_key_jwt; none of them is a public client. Prints
`ready <address>`, then one line `event {"name", ..}` for each thing that happens, so that a test can wait for it.

/login?..         to the authorize endpoint, with every parameter of the query (account_id, prompt, ..)
/initiate         the same, begun elsewhere (OpenID Connect Core, section 4)
/callback         what came back, checked; JSON {claims, ..}
/userinfo         the userinfo endpoint's answer
/refresh          a new access token; JSON as at /callback
/tokens           the tokens themselves: a real app would never show them
/logout           to the end-session endpoint, back to /bye
/back-channel     takes logout tokens
"""

import asyncio
import json
import secrets
import sys

import local_names
import uvicorn
from authlib.integrations.starlette_client import OAuth, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

local_names.known()
settings = json.loads(sys.argv[1])
own = ""

#: Each browser's tokens, by the random id in its cookie.
signed_in = {}


def tell(name, **what):
    print("event " + json.dumps({"name": name, **what}), flush=True)


def registered():
    """The client, with nothing but the issuer's name: all else comes from discovery."""
    oauth = OAuth()
    more = {}
    kwargs = {"scope": settings["scope"], "code_challenge_method": "S256", "timeout": 30}
    if settings.get("private_key"):
        kwargs["token_endpoint_auth_method"] = "private_key_jwt"
        # The issuer is the one audience (RFC 10070); Authlib writes there what it is given as the token endpoint.
        proof = PrivateKeyJWT(settings["issuer"], alg=settings["alg"], headers={"kid": settings["key_id"]})
        more = {"client_secret": settings["private_key"], "client_auth_methods": [proof]}
    elif settings.get("client_secret"):
        kwargs["token_endpoint_auth_method"] = settings.get("auth_method", "client_secret_basic")
        more = {"client_secret": settings["client_secret"]}
    else:
        kwargs["token_endpoint_auth_method"] = "none"
    metadata = settings["issuer"].rstrip("/") + "/.well-known/openid-configuration"
    return oauth.register(
        "gateway", client_id=settings["client_id"], server_metadata_url=metadata, client_kwargs=kwargs, **more
    )


client = registered()


async def login(request):
    return await client.authorize_redirect(request, own + "/callback", **dict(request.query_params))


async def initiate(request):
    asked = request.query_params
    if asked.get("iss") != settings["issuer"]:
        raise OAuthError("issuer_unknown", asked.get("iss"))
    target = asked.get("target_link_uri", "")
    # Only to an address of its own, or this would lead a browser anywhere.
    request.session["target"] = target if target.startswith(own + "/") else ""
    hint = {"login_hint": asked["login_hint"]} if "login_hint" in asked else {}
    return await client.authorize_redirect(request, own + "/callback", **hint)


async def callback(request):
    metadata = await client.load_server_metadata()
    if metadata.get("authorization_response_iss_parameter_supported"):
        # RFC 9207; Authlib leaves it to the app.
        if request.query_params.get("iss") != metadata["issuer"]:
            raise OAuthError("issuer_mismatch", request.query_params.get("iss"))
    token = await client.authorize_access_token(request)
    request.session["id"] = secrets.token_urlsafe()
    signed_in[request.session["id"]] = token
    shown = about(token)
    tell("signed_in", **shown)
    target = request.session.pop("target", "")
    return RedirectResponse(target, 303) if target else JSONResponse(shown)


def about(token):
    header = urlsafe_b64decode(token["id_token"].split(".")[0].encode()) if "id_token" in token else b"null"
    return {
        "claims": dict(token.get("userinfo") or {}),
        "id_token_header": json.loads(header),
        "token_type": token["token_type"],
        "expires_in": token.get("expires_in"),
        "scope": token.get("scope"),
        "refreshable": "refresh_token" in token,
    }


def held(request):
    token = signed_in.get(request.session.get("id"))
    if token is None:
        raise OAuthError("not_signed_in", "go to /login")
    return token


async def userinfo(request):
    return JSONResponse(dict(await client.userinfo(token=held(request))))


async def refresh(request):
    before = held(request)
    metadata = await client.load_server_metadata()
    async with client._get_oauth_client(**metadata) as session:
        token = await session.refresh_token(metadata["token_endpoint"], refresh_token=before["refresh_token"])
    if "id_token" in token:
        token["userinfo"] = await client.parse_id_token(token, nonce=None)
        assert token["userinfo"]["sub"] == before["userinfo"]["sub"], "a refreshed ID token is about somebody else"
    signed_in[request.session["id"]] = {**before, **token}
    shown = {**about(token), "rotated": token.get("refresh_token") not in (None, before["refresh_token"])}
    tell("refreshed", **shown)
    return JSONResponse(shown)


async def tokens(request):
    return JSONResponse(dict(held(request)))


async def logout(request):
    token = signed_in.pop(request.session.pop("id", None), None) or {}
    return await client.logout_redirect(request, own + "/bye", token.get("id_token"), client_id=settings["client_id"])


async def bye(request):
    await client.validate_logout_response(request)
    tell("signed_out")
    return JSONResponse({"signed_out": True})


async def back_channel(request):
    """OpenID Connect Back-Channel Logout, section 2.6."""
    async with request.form() as form:
        text = form.get("logout_token", "")
    metadata = await client.load_server_metadata()
    try:
        keys = KeySet.import_key_set(await client.fetch_jwk_set(force=True))
        token = jwt.decode(text, keys, algorithms=metadata["id_token_signing_alg_values_supported"])
        claims = token.claims
        rules = {"iss": {"essential": True, "value": metadata["issuer"]}, "jti": {"essential": True}}
        rules |= {"iat": {"essential": True}, "exp": {"essential": True}}
        jwt.JWTClaimsRegistry(**rules).validate(claims)
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        assert audience == [settings["client_id"]], "aud"
        assert "http://schemas.openid.net/event/backchannel-logout" in claims["events"], "events"
        assert "nonce" not in claims and ("sub" in claims or "sid" in claims), "nonce, sub, sid"
        assert token.header.get("typ") in ("logout+jwt", "JWT", None), "typ"
    except Exception as error:
        tell("logout_refused", error=repr(error))
        return JSONResponse({"error": "invalid_request", "error_description": repr(error)}, 400)
    gone = [id for id, token in signed_in.items() if concerns(claims, token["userinfo"])]
    for id in gone:
        del signed_in[id]
    tell("logged_out", claims=claims, header=token.header, sessions=len(gone))
    return JSONResponse({}, headers={"cache-control": "no-store"})


def concerns(claims, user):
    return claims["sid"] == user.get("sid") if "sid" in claims else claims["sub"] == user["sub"]


async def refused(request, error):
    tell("refused", error=getattr(error, "error", None) or type(error).__name__, description=str(error))
    return JSONResponse({"error": getattr(error, "error", None) or type(error).__name__, "description": str(error)}, 400)


async def main():
    global own
    routes = [login, initiate, callback, userinfo, refresh, tokens, logout, bye]
    app = Starlette(
        routes=[*(Route(f"/{route.__name__}", route) for route in routes), Route("/back-channel", back_channel, methods=["POST"])],
        middleware=[Middleware(SessionMiddleware, secret_key=secrets.token_hex(32))],
        exception_handlers={OAuthError: refused, Exception: refused},
    )
    config = uvicorn.Config(app, host="127.0.0.1", port=settings["port"], log_level="error", lifespan="off")
    listening = config.bind_socket()
    # Before anybody is told: who comes early waits in line.
    listening.listen()
    own = f"http://{settings['host']}:{listening.getsockname()[1]}"
    print(f"ready {own}", flush=True)
    await uvicorn.Server(config).serve(sockets=[listening])


asyncio.run(main())
