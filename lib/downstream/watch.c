/* SPDX-License-Identifier: Apache-2.0 */
/* Hearing of changes. */
#include "downstream/watch.h"

void watch_stop(struct downstream_session *session)
{
    (void)session;
}

void watch_renewed(struct downstream_session *session)
{
    (void)session;
}
