"""Uses py-spiffe unchanged against the Workload API that SPIFFE_ENDPOINT_SOCKET names, and prints what it got as JSON lines.

After the first X.509 context it goes on streaming, one line an update, until standard input closes.
"""

import json
import sys
import threading

from spiffe import WorkloadApiClient

lock = threading.Lock()


def say(**facts):
    with lock:
        print(json.dumps(facts), flush=True)


def domains(bundle_set):
    return sorted(bundle.trust_domain.name for bundle in bundle_set.bundles)


with WorkloadApiClient() as client:
    svid = client.fetch_x509_svid()
    say(kind="x509", id=str(svid.spiffe_id), chain=len(svid.cert_chain))
    token = client.fetch_jwt_svid(audience={"orders"})
    say(kind="jwt", id=str(token.spiffe_id), audience=sorted(token.audience))
    valid = client.validate_jwt_svid(token.token, "orders")
    say(kind="validated", id=str(valid.spiffe_id))
    try:
        client.validate_jwt_svid(token.token, "others")
        say(kind="validated-for-others")
    except Exception as error:
        say(kind="refused", reason=str(error))
    jwt_bundles = client.fetch_jwt_bundles()
    say(kind="jwt-bundles", domains=domains(jwt_bundles))
    # Its own check of the token, with the keys of the bundle.
    from spiffe import JwtSvid

    own = JwtSvid.parse_and_validate(token.token, next(iter(jwt_bundles.bundles)), {"orders"})
    say(kind="locally-validated", id=str(own.spiffe_id))
    handler = client.stream_x509_contexts(
        lambda context: say(
            kind="update",
            serial=str(context.default_svid.leaf.serial_number),
            domains=domains(context.x509_bundle_set),
        ),
        lambda error: say(kind="error", reason=str(error)),
    )
    sys.stdin.read()
    handler.cancel()
