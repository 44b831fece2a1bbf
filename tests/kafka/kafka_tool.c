/* kafka_tool.c - what the tests do to a topic besides Penstock: odd records in, open and aborted transactions, and a dump of what is there.
 *
 *     kafka_tool produce BROKERS TOPIC < LINES               each line: partition, key, value, milliseconds, headers; with a tab between
 *     kafka_tool commit|abort|hang BROKERS TOPIC ID < LINES  the same in a transaction, which is then committed, aborted, or left open for ever
 *     kafka_tool dump BROKERS TOPIC committed|all            the topic as such lines, with the offset after the partition
 *
 * Bytes are hexadecimal, `-` is null; partition -1 is chosen by the key; headers are NAME=HEX,NAME=- or nothing. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS 5

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_tool: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        die(name, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char why[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk)
        die("client", why);
    return rk;
}

static void must(const char *what, rd_kafka_error_t *error)
{
    if (error)
        die(what, rd_kafka_error_string(error));
}

/* -- in ------------------------------------------------------------------------------------------------------------------------------ */

/* Bytes of a hexadecimal text, in its place; NULL for `-`. */
static char *unhex(char *text, size_t *n)
{
    *n = 0;
    if (strcmp(text, "-") == 0)
        return NULL;
    for (const char *s = text; s[0] && s[1]; s += 2) {
        char pair[3] = { s[0], s[1], '\0' };
        text[(*n)++] = (char)strtoul(pair, NULL, 16);
    }
    return text;
}

static rd_kafka_headers_t *parse_headers(char *text)
{
    rd_kafka_headers_t *h = *text ? rd_kafka_headers_new(4) : NULL;
    char *save = NULL;
    for (char *one = strtok_r(text, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        char *value = strchr(one, '=');
        size_t n;
        *value++ = '\0';
        value = unhex(value, &n);
        rd_kafka_header_add(h, one, -1, value, (ssize_t)n);
    }
    return h;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk, (void)opaque;
    if (m->err)
        die("delivery", rd_kafka_err2str(m->err));
}

static void send_line(rd_kafka_t *rk, const char *topic, char *line)
{
    char *f[FIELDS];
    size_t key_size, value_size;
    char *key, *value;
    rd_kafka_headers_t *headers;
    rd_kafka_resp_err_t code;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < FIELDS; i++) {
        f[i] = line ? line : "";
        line = line ? strchr(line, '\t') : NULL;
        if (line)
            *line++ = '\0';
    }
    key = unhex(f[1], &key_size);
    value = unhex(f[2], &value_size);
    headers = parse_headers(f[4]);
    for (;;) {
#define SEND(...)                                                                                                                          \
    rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(atoi(f[0])), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),             \
                      RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(value, value_size), RD_KAFKA_V_TIMESTAMP(strtoll(f[3], NULL, 10)),   \
                      __VA_ARGS__)
        code = headers ? SEND(RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END) : SEND(RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        rd_kafka_poll(rk, 100);
    }
    if (code)
        die("produce", rd_kafka_err2str(code));
}

static int in(const char *how, const char *brokers, const char *topic, const char *id)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;
    char *line = NULL;
    size_t size = 0;
    set(conf, "bootstrap.servers", brokers);
    set(conf, "compression.type", "lz4");
    set(conf, "linger.ms", "20");
    set(conf, "message.max.bytes", "100000000");
    set(conf, "enable.idempotence", "true"); /* each line once, whatever becomes of the broker meanwhile */
    if (id) {
        set(conf, "transactional.id", id);
        set(conf, "transaction.timeout.ms", "60000");
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rk = client(RD_KAFKA_PRODUCER, conf);
    if (id) {
        must("init_transactions", rd_kafka_init_transactions(rk, 30000));
        must("begin_transaction", rd_kafka_begin_transaction(rk));
    }
    while (getline(&line, &size, stdin) > 0) {
        send_line(rk, topic, line);
        rd_kafka_poll(rk, 0);
    }
    free(line);
    if (rd_kafka_flush(rk, 60000))
        die("flush", "not everything was stored");
    if (strcmp(how, "commit") == 0)
        must("commit_transaction", rd_kafka_commit_transaction(rk, 30000));
    else if (strcmp(how, "abort") == 0)
        must("abort_transaction", rd_kafka_abort_transaction(rk, 30000));
    printf("done\n");
    fflush(stdout);
    while (strcmp(how, "hang") == 0)
        pause();
    rd_kafka_destroy(rk);
    return 0;
}

/* -- out ------------------------------------------------------------------------------------------------------------------------------- */

static void print_hex(const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    if (!b)
        putchar('-');
    for (size_t i = 0; b && i < n; i++)
        printf("%02x", b[i]);
}

static void print_message(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    printf("%d\t%" PRId64 "\t", (int)m->partition, m->offset);
    print_hex(m->key, m->key_len);
    putchar('\t');
    print_hex(m->payload, m->len);
    printf("\t%" PRId64 "\t", rd_kafka_message_timestamp(m, NULL));
    if (!rd_kafka_message_headers(m, &headers))
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
            printf("%s%s=", i ? "," : "", name);
            print_hex(value, size);
        }
    putchar('\n');
}

static int dump(const char *brokers, const char *topic, const char *which)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const rd_kafka_metadata_t *md;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_topic_t *t;
    rd_kafka_t *rk;
    int left;
    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "kafka_tool");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "fetch.wait.max.ms", "50");
    set(conf, "isolation.level", strcmp(which, "all") == 0 ? "read_uncommitted" : "read_committed");
    rk = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    t = rd_kafka_topic_new(rk, topic, NULL);
    if (rd_kafka_metadata(rk, 0, t, &md, 30000) || md->topic_cnt != 1 || md->topics[0].err)
        die("topic", topic);
    left = md->topics[0].partition_cnt;
    list = rd_kafka_topic_partition_list_new(left);
    for (int i = 0; i < left; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_assign(rk, list))
        die("assign", topic);
    while (left > 0) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 30000);
        if (!m)
            die("dump", "nothing came for half a minute");
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            left--;
        else if (m->err)
            fprintf(stderr, "kafka_tool: %s\n", rd_kafka_message_errstr(m));
        else
            print_message(m);
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(md);
    rd_kafka_topic_destroy(t);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "dump") == 0)
        return dump(argv[2], argv[3], argv[4]);
    if (argc == 4 && strcmp(argv[1], "produce") == 0)
        return in(argv[1], argv[2], argv[3], NULL);
    if (argc == 5)
        return in(argv[1], argv[2], argv[3], argv[4]);
    fprintf(stderr, "usage: see the first lines of kafka_tool.c\n");
    return 2;
}
