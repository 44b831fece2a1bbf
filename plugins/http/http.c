/* http.c - the http plugin: a gateway that keeps what is posted to it (gateway.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

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
           "broke, that it may have been.",
    .source = &gateway_source,
};
