/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the catalog called with JSON on a fresh database, for test_catalog_*. */
#pragma once

#include "catalog.h"
#include "mal/catalog/v1/catalog.api.h"
#include "migrations.sql.h"

#define FIXTURE_SERVICE catalog
#include "handler_fixture.h"
