// Precompiled: what nearly every file of pure code includes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "messages/document.hpp"
#include "messages/schema/schema.hpp"
#include "messages/status.hpp"
