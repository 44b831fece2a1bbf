/* http.c - the http plugin: a gateway that keeps what is posted to it (gateway.c), and a sink that posts (sink.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"
#include "sink.h"

extern const struct pen_plugin http_LTX_pen_plugin;
const struct pen_plugin http_LTX_pen_plugin = {
    .abi = PEN_ABI,
    .name = "http",
    .summary = "A gateway for records over HTTP: the Kafka REST API, Kinesis streams behind API Gateway, JSON lines",
    .licence = "Apache-2.0",
    .doc = "As a source it is a server that takes records as the Kafka REST API does (v2: POST /topics/NAME; v3: POST /v3/clusters/ID/topics/NAME/records), as "
           "a Kinesis stream behind API Gateway does (PUT /streams/NAME/record and /records), and as JSON lines (POST /ingest/NAME; Content-Encoding gzip and "
           "zstd are understood on all paths). A reply that says stored is given once the transport behind has the records on its disk, with the offsets or "
           "sequence numbers that they have there; any other reply says that nothing of the request was kept, or, where the connection "
           "broke, that it may have been.\n\n"
           "Where no certificate is given it speaks plain HTTP, where no keys are given it is open to all; beyond the loopback both need insecure = yes. The hash of "
           "a key is made by `printf %s KEY | sha256sum`. A name that no output is for is refused as those services refuse it. At a stop it accepts nothing "
           "new, answers what it has, and ends.\n\n"
           "As a sink it posts to such an endpoint, one request after the other on one connection for each lane. Keys are sent; headers and partitions are not. "
           "What does not come through is sent again with pauses that grow to ten seconds, as long as it takes; a reply that refuses for good (400, "
           "401, 403, 404, 413, 415, 422) stops the run.",
    .source = &gateway_source,
    .sink = &http_sink_type,
};
