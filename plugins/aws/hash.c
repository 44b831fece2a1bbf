/* hash.c - SHA-256 and HMAC, by OpenSSL's libcrypto. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sign.h"

/* A signature over garbage would be refused by a server far away from the cause. Neither call fails but without memory. */
static void must(bool worked, const char *what)
{
    if (!worked) {
        fprintf(stderr, "penstock: %s failed in libcrypto\n", what);
        abort();
    }
}

void aws_sha256(unsigned char out[AWS_SHA256], const void *bytes, size_t n)
{
    must(EVP_Digest(n ? bytes : "", n, out, NULL, EVP_sha256(), NULL) == 1, "SHA-256");
}

void aws_hmac(unsigned char out[AWS_SHA256], const void *key, size_t key_n, const void *bytes, size_t n)
{
    must(HMAC(EVP_sha256(), key, (int)key_n, bytes, n, out, NULL) != NULL, "HMAC");
}

void aws_hex(char out[AWS_HEX], const unsigned char digest[AWS_SHA256])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < AWS_SHA256; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * AWS_SHA256] = '\0';
}
