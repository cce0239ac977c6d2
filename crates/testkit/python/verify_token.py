"""Verifies tokens with PyJWT against a published key set, as a relying party would.

Standard input: a JSON array of {"token", "keys" (a JWK set), "issuer", "audience"}. Standard output: a JSON array of
{"header", "claims"}; a token that does not verify ends the program. Times are not held against the machine's clock,
which is not the gateway's.
"""

import json
import sys

import jwt

verified = []
for order in json.load(sys.stdin):
    header = jwt.get_unverified_header(order["token"])
    key = jwt.PyJWKSet.from_dict(order["keys"])[header["kid"]]
    claims = jwt.decode(
        order["token"],
        key,
        algorithms=[key.algorithm_name],
        audience=order["audience"],
        issuer=order["issuer"],
        options={"verify_exp": False, "verify_iat": False, "require": ["iss", "aud", "iat", "exp", "jti", "events"]},
    )
    verified.append({"header": header, "claims": claims})
json.dump(verified, sys.stdout)
