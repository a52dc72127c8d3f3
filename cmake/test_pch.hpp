// Precompiled: what nearly every test includes.
#pragma once
#include "cmake/pch.hpp"

#include <doctest/doctest.h>

#include "messages/api_server.hpp"
#include "messages/document.hpp"
