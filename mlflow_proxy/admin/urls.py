"""Addresses of the proxy's own pages in the admin; each view is guarded here, and so none is open by omission."""

from django.urls import path

from mlflow_proxy.admin import doctor
from mlflow_proxy.admin.storage_health import check_now, guarded, page, progress, text

urlpatterns = [
    path("", guarded(page), name="storage-health"),
    path("check", guarded(check_now), name="storage-health-check"),
    path("progress", guarded(progress), name="storage-health-progress"),
    path("diagnostics.txt", guarded(text), name="storage-health-diagnostics"),
    path("doctor/", guarded(doctor.page), name="doctor"),
    path("doctor/walk", guarded(doctor.start), name="doctor-start"),
    path("doctor/progress", guarded(doctor.progress), name="doctor-progress"),
]
