/* answer.h - what kind of error an answer is, for who decides about trying again. SPDX-License-Identifier: Apache-2.0 */
#ifndef PEN_AWS_ANSWER_H
#define PEN_AWS_ANSWER_H

#include "aws.h"

bool aws_answer_passing(const struct aws_answer *a);      /* may go better later: 5xx, throttling */
bool aws_answer_keys_expired(const struct aws_answer *a); /* refused, as the session token's time is over */
bool aws_answer_clock_wrong(const struct aws_answer *a);  /* refused, as the request's time is too far from the service's */

#endif
