"""Signs a batch of tokens with PyJWT.

Standard input: a JSON array of {"alg", "key", "header", "claims"}; `key` is the secret's text for HS256 and a
PEM private key otherwise, `header` is added to alg and typ. Standard output: a JSON array of tokens.
"""

import json
import sys
import warnings

import jwt
from jwt.warnings import InsecureKeyLengthWarning

# A short secret is a case that tests ask for on purpose.
warnings.simplefilter("ignore", InsecureKeyLengthWarning)

orders = json.load(sys.stdin)
tokens = [
    jwt.encode(order["claims"], order["key"], algorithm=order["alg"], headers=order.get("header") or None)
    for order in orders
]
json.dump(tokens, sys.stdout)
