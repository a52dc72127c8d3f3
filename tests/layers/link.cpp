// Linked with one whole library: undeclared dependencies fail here.
int main() { return 0; }
