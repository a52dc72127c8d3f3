// metav1 checks shared by all kinds: ObjectMeta, labels, label selectors, conditions.
#pragma once

#include <initializer_list>
#include <string_view>

#include "actors/api_server/validation/field_errors.hpp"
#include "actors/api_server/validation/names.hpp"
#include "messages/document.hpp"

namespace troupe::api::rules {

constexpr std::string_view immutable_message = "field is immutable";
constexpr std::string_view negative_message = "must be greater than or equal to 0";

/// ObjectMeta of a new object. `core_finalizers` adds core's rule that an unprefixed finalizer is a standard one.
void check_metadata(error_list& errors, const path& at, const node* metadata, bool namespaced, name_check check,
                    bool core_finalizers = true);
/// ObjectMeta of a changed object.
void check_metadata_update(error_list& errors, const path& at, const node* metadata, const node* previous,
                           bool core_finalizers = true);

void check_labels(error_list& errors, const path& at, const node* labels);
void check_label_name(error_list& errors, const path& at, std::string_view key);
void check_annotations(error_list& errors, const path& at, const node* annotations);
/// A metav1.LabelSelector; nothing for null.
void check_label_selector(error_list& errors, const path& at, const node* selector, bool any_value = false);
/// Core's check of one entry of metadata.finalizers.
void check_core_finalizer(error_list& errors, const path& at, std::string_view name);
void check_non_negative(error_list& errors, const path& at, std::int64_t value);
/// check_non_negative for those of the fields that are there.
void check_counts(error_list& errors, const path& at, const node* holder,
                  std::initializer_list<std::string_view> fields);
/// Only where the values differ: "field is immutable", with the new value.
void check_immutable(error_list& errors, const path& at, const node* value, const node* previous);
/// A metav1.Condition list.
void check_conditions(error_list& errors, const path& at, const node* conditions);
/// Whether a selector with matchLabels and matchExpressions selects the labels.
bool selector_matches(const node* selector, const node* labels);
/// Whether the selector selects everything (no requirement at all).
bool selector_empty(const node* selector);

}  // namespace troupe::api::rules
