# What the plugins that speak to AWS share: linked into each. SPDX-License-Identifier: Apache-2.0
EXTRA_LTLIBRARIES += plugins/aws/libaws.la
plugins_aws_libaws_la_SOURCES = plugins/aws/aws.h plugins/aws/sign.h plugins/aws/sign.c plugins/aws/hash.c plugins/aws/fields.c \
	plugins/aws/http.h plugins/aws/http.c plugins/aws/answer.h plugins/aws/answer.c plugins/aws/endpoint.h plugins/aws/endpoint.c \
	plugins/aws/credentials.h plugins/aws/credentials.c plugins/aws/client.c plugins/aws/xml.h plugins/aws/xml.c \
	plugins/aws/profile.h plugins/aws/profile.c plugins/aws/keys.h plugins/aws/keys.c plugins/aws/metadata.c plugins/aws/sts.c
plugins_aws_libaws_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS) $(CJSON_CFLAGS)
plugins_aws_libaws_la_CFLAGS = $(AM_CFLAGS)
plugins_aws_libaws_la_LDFLAGS = $(AM_LDFLAGS)
plugins_aws_libaws_la_LIBADD = $(CURL_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS)
