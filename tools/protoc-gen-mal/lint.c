/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator refuses. */
#include "lint.h"

void lint(struct model *model)
{
    for (size_t i = 0; i < model->n_messages; i++) {
        const struct message *message = &model->messages[i];
        for (size_t j = 0; message->place.file->generate && j < message->n_fields; j++)
            if (!message->fields[j].place.comment)
                model_error(model, &message->fields[j].place,
                            "field %s.%s has no comment; say above it what it holds", message->name,
                            message->fields[j].name);
    }
    for (size_t i = 0; i < model->n_methods; i++)
        if (model->methods[i].place.file->generate && !model->methods[i].place.comment)
            model_error(model, &model->methods[i].place,
                        "rpc %s has no comment; say above it what it does", model->methods[i].name);
}
