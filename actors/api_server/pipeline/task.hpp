// Coroutines of the pipeline: a request is written as one straight function that waits for the store where it must.
//
// GCC 12 destroys temporaries of a co_await expression wrongly in places: bind what is awaited to a named local, and
// pass pointers or references to things that live in the request's frame.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

namespace troupe::api {

/// A lazily started coroutine that yields one T. Destroying it destroys everything it waits in.
template <class T>
class [[nodiscard]] task {
 public:
  struct promise_type {
    std::coroutine_handle<> waiting;  // who awaits us; null for the outermost
    std::optional<T> value;
    std::exception_ptr thrown;

    task get_return_object() { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct final_awaiter {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
        auto next = done.promise().waiting;
        return next ? next : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    final_awaiter final_suspend() noexcept { return {}; }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() { thrown = std::current_exception(); }
  };

  task() = default;
  explicit task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~task() { reset(); }

  // Awaiting a task runs it.
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> by) noexcept {
    handle_.promise().waiting = by;
    return handle_;
  }
  T await_resume() { return take(); }

  // The outermost task is driven by hand.
  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }
  /// The result of a task that is done; throws what the coroutine threw.
  T take() {
    auto& promise = handle_.promise();
    if (promise.thrown) std::rethrow_exception(promise.thrown);
    return std::move(*promise.value);  // NOLINT(bugprone-unchecked-optional-access): done and nothing thrown
  }

 private:
  void reset() {
    if (handle_) handle_.destroy();
    handle_ = nullptr;
  }
  std::coroutine_handle<promise_type> handle_;
};

/// Where a coroutine waits for several others that it has started. Each of those ends with
/// `auto last = gate.leave(); co_await last; co_return ...`, whatever happened in it.
class gate {
 public:
  explicit gate(std::size_t count) : open_(count) {}

  struct leaving {
    gate& from;
    bool await_ready() const noexcept { return false; }
    /// The last one out resumes who waits, at its own end: only then may it be destroyed.
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> me) noexcept {
      if (--from.open_ == 0 && from.waiting_) me.promise().waiting = from.waiting_;
      return false;
    }
    void await_resume() const noexcept {}
  };
  leaving leave() { return {*this}; }

  bool await_ready() const noexcept { return open_ == 0; }
  void await_suspend(std::coroutine_handle<> by) noexcept { waiting_ = by; }
  void await_resume() const noexcept {}

 private:
  std::size_t open_;
  std::coroutine_handle<> waiting_;
};

}  // namespace troupe::api
